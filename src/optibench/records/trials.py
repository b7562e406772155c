"""From a candidate to its result: what is proposed, sent out, measured and summed up."""

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
        rows: share of each fold's train rows that it is fitted on, above 0 and up to 1. The rows
            of a smaller share are among those of a larger one.
        budget: share of the full resource (rows, n_estimators, n_init) that it got, up to 1. A
            candidate with more of it ranks first, whatever the scores: scores at different budgets
            do not compare.
        continues: the candidate whose fits this one goes on from, or None.
        resumable: its fits are kept for a candidate that may continue it.
    """

    number: int
    params: Params
    rows: float = 1.0
    budget: float = 1.0
    continues: int | None = None
    resumable: bool = False


@dataclass(frozen=True)
class Unit:
    """Trials of one fold that are still to be run, and run together because they share fits.

    Attributes:
        states: per candidate what its earlier fit left behind to go on from, or None.
    """

    candidates: tuple[Candidate, ...]
    fold: int
    states: tuple[bytes | None, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Units that travel together; what is not begun after `slice_seconds` comes back undone.

    Attributes:
        begin_before: nothing is begun after this moment, seconds since the epoch.
    """

    units: tuple[Unit, ...]
    slice_seconds: float
    begin_before: float = math.inf


class Reused(StrEnum):
    """What a trial did not have to compute itself, the most last."""

    NOTHING = ""
    MATRIX = "matrix"  # the fold's quantised matrix or distances, or the scores of equal labels
    BEGINNING = "beginning"  # the first part of its fit, on a smaller budget
    FIT = "fit"  # the fit of another candidate
    TRIAL = "trial"  # everything: the same hyperparameters had been evaluated
    RUN = "run"  # everything: an interrupted run had evaluated it


@dataclass(frozen=True)
class Trial:
    """One finished trial, a row of trials.csv.

    Attributes:
        fit_seconds, score_seconds, cpu_seconds: as paid; what several trials used together is
            paid by each in equal parts. CPU seconds are those of fit and score.
        standalone_cpu_seconds: an estimate of the CPU seconds if nothing had been shared.
        reused: what it had from others.
        start, end: seconds since the epoch; trials that share fits share this interval.
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
    """What comes back for one batch.

    Attributes:
        units: those that were run, each with its trials and its seconds of wall time.
        leftover: those that were not begun.
        profile: a marshalled pstats dictionary (see measure/profiles.py), or None.
    """

    units: tuple[UnitOutcome, ...]
    leftover: tuple[Unit, ...]
    profile: bytes | None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials of all units."""
        return tuple(trial for unit in self.units for trial in unit.trials)

    def moved(self, seconds: float) -> Self:
        """The same by a clock that is so many seconds ahead."""
        return replace(self, units=tuple(unit.moved(seconds) for unit in self.units))


@dataclass(frozen=True)
class UnitOutcome:
    """What one unit gave.

    Attributes:
        trials: one per candidate of the unit, in its order.
        seconds: wall time of the whole unit in the worker.
        states: per candidate what a candidate that continues it needs, or None.
    """

    unit: Unit
    trials: tuple[Trial, ...]
    seconds: float
    states: tuple[bytes | None, ...] = ()

    def moved(self, seconds: float) -> UnitOutcome:
        """The same by a clock that is so many seconds ahead."""
        trials = (replace(t, start=t.start + seconds, end=t.end + seconds) for t in self.trials)
        return replace(self, trials=tuple(trials))


@dataclass(frozen=True)
class CandidateResult:
    """A candidate over all its folds: one nested MLflow run.

    Attributes:
        mean_scores, std_scores: per metric `numpy.mean` / `numpy.std` (ddof 0) over the folds.
        rank: 1 is the best; KILLED and FAILED candidates come last.
        start, end: of its first and its last trial, seconds since the epoch.
        budget, rows: those of the candidate.
        trials: its trials, by fold.
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
