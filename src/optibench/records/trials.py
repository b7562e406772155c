"""Records of the search: candidates, units, batches, trials and their results."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from optibench.records.kinds import Params, Status

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Candidate:
    """One set of hyperparameters, numbered in the order in which the search proposed it.

    Attributes:
        number: position in the order of proposals, from 0.
        params: the hyperparameters.
        rows: share of each fold's train rows that it is fitted on, above 0 and up to 1. Larger
            shares contain the rows of smaller ones.
        budget: share of the full resource (rows, n_estimators, n_init) that it gets, up to 1. A
            candidate with a larger budget ranks first whatever the scores, because scores at
            different budgets cannot be compared.
        continues: number of the candidate whose fits this one continues, or None.
        resumable: its fits are kept for a candidate that may continue them.
    """

    number: int
    params: Params
    rows: float = 1.0
    budget: float = 1.0
    continues: int | None = None
    resumable: bool = False


@dataclass(frozen=True)
class Unit:
    """Trials of one fold that run together because they share fits.

    Attributes:
        candidates: one per trial.
        fold: number of the fold.
        states: per candidate the checkpoint of an earlier fit to continue, or None.
    """

    candidates: tuple[Candidate, ...]
    fold: int
    states: tuple[bytes | None, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Units that are sent to a worker together.

    Attributes:
        units: the units.
        slice_seconds: units that have not begun after this time are returned without results.
        begin_before: no unit begins after this moment, in seconds since the epoch.
    """

    units: tuple[Unit, ...]
    slice_seconds: float
    begin_before: float = math.inf


class Reused(StrEnum):
    """What a trial did not have to compute itself, in increasing order."""

    NOTHING = ""
    MATRIX = "matrix"  # the fold's quantised matrix or distances, or the scores of equal labels
    BEGINNING = "beginning"  # the first part of its fit, on a smaller budget
    FIT = "fit"  # the fit of another candidate
    TRIAL = "trial"  # everything: the same hyperparameters were evaluated before
    RUN = "run"  # everything: an interrupted run evaluated it


@dataclass(frozen=True)
class Trial:
    """One finished trial, a row of trials.csv.

    Attributes:
        candidate: number of the candidate.
        params: hyperparameters of the candidate.
        fold: number of the fold.
        scores: every metric of the task on the fold's validation rows.
        fit_seconds: wall time of fitting. What several trials did together is charged to each in
            equal parts; the same holds for the next two.
        score_seconds: wall time of predicting and scoring.
        cpu_seconds: CPU time of both.
        worker: host and process id.
        start: seconds since the epoch; trials that share fits share this interval.
        end: seconds since the epoch.
        status: FINISHED or FAILED.
        error: why the trial failed.
        standalone_cpu_seconds: estimate of the CPU time if nothing had been shared.
        reused: what the trial took from others.
    """

    candidate: int
    params: Params
    fold: int
    scores: Mapping[str, float]
    fit_seconds: float
    score_seconds: float
    cpu_seconds: float
    worker: str
    start: float
    end: float
    status: Status = Status.FINISHED
    error: str | None = None
    standalone_cpu_seconds: float = 0.0
    reused: Reused = Reused.NOTHING


@dataclass(frozen=True)
class BatchOutcome:
    """What a worker returns for one batch.

    Attributes:
        units: results of the units that ran.
        leftover: units that did not begin.
        profile: a part for `measure.profiles.merged_profile.merge`, or None.
    """

    units: tuple[UnitOutcome, ...]
    leftover: tuple[Unit, ...]
    profile: bytes | None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials of all units."""
        return tuple(trial for unit in self.units for trial in unit.trials)

    def moved(self, seconds: float) -> Self:
        """Return it with `seconds` added to all times."""
        return replace(self, units=tuple(unit.moved(seconds) for unit in self.units))


@dataclass(frozen=True)
class UnitOutcome:
    """Results of one unit.

    Attributes:
        unit: the unit.
        trials: one per candidate of the unit, in the same order.
        seconds: wall time of the whole unit in the worker.
        states: per candidate the checkpoint for a candidate that continues it, or None.
    """

    unit: Unit
    trials: tuple[Trial, ...]
    seconds: float
    states: tuple[bytes | None, ...] = ()

    def moved(self, seconds: float) -> UnitOutcome:
        """Return it with `seconds` added to all times."""
        trials = (replace(t, start=t.start + seconds, end=t.end + seconds) for t in self.trials)
        return replace(self, trials=tuple(trials))


@dataclass(frozen=True)
class CandidateResult:
    """A candidate over all its folds: one nested MLflow run.

    Attributes:
        number: number of the candidate, in the order in which the search proposed it.
        params: hyperparameters.
        mean_scores: per metric `numpy.mean` over the folds.
        std_scores: per metric `numpy.std` (ddof 0) over the folds.
        rank: 1 is the best; KILLED and FAILED candidates come last.
        mean_fit_seconds: mean over the folds.
        mean_score_seconds: mean over the folds.
        cpu_seconds: sum over the folds.
        start: start of the first trial, seconds since the epoch.
        end: end of the last trial, seconds since the epoch.
        status: FINISHED, FAILED or KILLED.
        error: why it did not finish.
        standalone_cpu_seconds: sum over the folds.
        reused_fits: number of trials that needed no fit of their own.
        budget: share of the full resource, up to 1.
        rows: share of each fold's train rows, up to 1.
        trials: the candidate's trials, by fold.
    """

    number: int
    params: Params
    mean_scores: Mapping[str, float]
    std_scores: Mapping[str, float]
    rank: int
    mean_fit_seconds: float
    mean_score_seconds: float
    cpu_seconds: float
    start: float
    end: float
    status: Status
    error: str | None = None
    standalone_cpu_seconds: float = 0.0
    reused_fits: int = 0
    budget: float = 1.0
    rows: float = 1.0
    trials: tuple[Trial, ...] = field(default=(), repr=False)
