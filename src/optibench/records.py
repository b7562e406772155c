"""The frozen records that the rooms exchange. Read this file and `contracts.py` first.

Words: a candidate is one set of hyperparameters; a trial is one candidate on one fold; a unit is a
trial that is still to be run; a run is one benchmark, which is one MLflow parent run.
Times named `*_seconds` are durations; `start` and `end` are seconds since the epoch
(`time.time()`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Params = Mapping[str, Any]


class Task(StrEnum):
    """What a model is for; it decides the metrics, the split and the folds."""

    CLASSIFICATION = "classification"
    CLUSTERING = "clustering"


class Status(StrEnum):
    """How a trial, a candidate or a run ended; the names are MLflow's."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class Table:
    """A table as it was read, before anything is encoded: what the validator looks at.

    Attributes:
        name: the dataset's name in the configuration.
        frame: (n_samples, n_columns), target, groups and time columns included.
        target: the target column, or None where there is none.
        source: where it came from: a path or `builtin:<name>`.
        categorical: feature columns to treat as categories.
        groups: the column whose equal values must stay on one side of every split, or None.
        time: the column that orders the rows in time, or None.
    """

    name: str
    frame: pd.DataFrame
    target: str | None
    source: str
    categorical: tuple[str, ...] = ()
    groups: str | None = None
    time: str | None = None

    @property
    def features(self) -> list[str]:
        """The columns that a model sees: all but target, groups and time."""
        aside = {self.target, self.groups, self.time}
        return [str(column) for column in self.frame.columns if column not in aside]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The encoded table: one float matrix, and classes as 0..n_classes-1.

    Attributes:
        X: (n_samples, n_features) float64; categories as their codes, missing values as NaN.
        y: (n_samples,) int64 codes into `classes`, or None for clustering.
        classes: the original class labels, sorted; empty for clustering.
        categories: for each categorical feature its labels, in the order of their codes.
        groups: (n_samples,) codes, or None.  time: (n_samples,) sort keys, or None.
        digest: SHA-256 of the content, hexadecimal.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[np.int64] | None
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...]
    categories: Mapping[str, tuple[str, ...]]
    source: str
    digest: str
    target: str | None = None
    groups: NDArray[np.int64] | None = None
    time: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Split:
    """Train and held-out part after scaling, and the folds of the train part.

    Attributes:
        X_train, X_test: scaled where scaling is on; y_train, y_test: codes, or None.
        folds: pairs of (train, validation) row numbers into the train part; empty for search=none.
        scaler: the fitted `StandardScaler`, or None where scaling is off.
    """

    X_train: NDArray[np.float64]
    X_test: NDArray[np.float64]
    y_train: NDArray[np.int64] | None
    y_test: NDArray[np.int64] | None
    folds: tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]
    scaler: Any | None


@dataclass(frozen=True)
class DataFacts:
    """What an estimator factory may know of the data beside its hyperparameters."""

    n_classes: int
    feature_types: (
        tuple[str, ...] | None
    )  # 'q' quantitative or 'c' categorical, None: all quantitative


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a fitted estimator says of some rows.

    Attributes:
        labels: (n,) class codes or cluster numbers.
        probabilities: (n, n_classes), or None where the task has none.
        inertia: sum of squared distances of these rows to their nearest centre, or None.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[Any] | None = None
    inertia: float | None = None


@dataclass(frozen=True)
class Scores:
    """Every metric of the task; NaN where a metric is not defined, and then why."""

    values: Mapping[str, float]
    undefined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """One set of hyperparameters, numbered in the order in which the search proposed it."""

    number: int
    params: Params


@dataclass(frozen=True)
class Unit:
    """One trial that is still to be run."""

    candidate: Candidate
    fold: int


@dataclass(frozen=True)
class Batch:
    """Units that travel together; what is not begun after `slice_seconds` comes back undone."""

    units: tuple[Unit, ...]
    slice_seconds: float


@dataclass(frozen=True)
class Trial:
    """One finished unit, a row of trials.csv; `cpu_seconds` are of fit and score, as paid."""

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


@dataclass(frozen=True)
class BatchOutcome:
    """What comes back for one batch.

    `profile` is a marshalled pstats dictionary (see measure/profiles.py).
    """

    trials: tuple[Trial, ...]
    leftover: tuple[Unit, ...]
    profile: bytes | None


@dataclass(frozen=True)
class EngineRequest:
    """What an engine is asked to start with.

    Attributes:
        workers: worker processes, each running one trial at a time.
        threads: OpenMP and BLAS threads of each worker.
        modules: imported by every worker before the clock of the search starts.
        logs: a folder for what the engine prints.
    """

    workers: int
    threads: int
    modules: tuple[str, ...]
    logs: Path


@dataclass(frozen=True)
class CandidateResult:
    """A candidate over all its folds: one nested MLflow run.

    Attributes:
        mean_scores, std_scores: per metric `numpy.mean` / `numpy.std` (ddof 0) over the folds.
        rank: 1 is the best; FAILED candidates come last.
        start, end: of its first and its last trial, seconds since the epoch.
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


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The refitted winner with all that is needed to use it elsewhere.

    Attributes:
        estimator: the fitted native estimator (scikit-learn API).
        scaler: fitted StandardScaler or None.
        classes: original class labels in the order of the codes; empty for clustering.
        categories: labels of each categorical feature in the order of their codes.
        sample: a few raw (unscaled, uncoded) input rows, for signature and input example.
        libraries: names of the packages that the loaded model needs.
    """

    task: Task
    estimator: Any
    scaler: Any | None
    classes: tuple[Any, ...]
    feature_names: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    sample: pd.DataFrame
    libraries: tuple[str, ...]


@dataclass(frozen=True)
class RunHeader:
    """What is known of a run before its engine starts."""

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    dataset: Dataset
    start: float


class Entry(NamedTuple):
    """The moment at which a program was entered, where its wall clock starts.

    Attributes:
        seconds: of `time.perf_counter()`.
        cpu_seconds: that this process had used by then.
    """

    seconds: float
    cpu_seconds: float

    @classmethod
    def now(cls) -> Entry:
        """This moment."""
        return cls(time.perf_counter(), time.process_time())


@dataclass(frozen=True)
class Sample:
    """One look at the whole process tree.

    Attributes:
        time: seconds since the epoch.
        phase: the phase that was open.
        cpu_percent: CPU seconds since the last sample over (cores of the machine x elapsed),
            0-100.
        memory_percent: resident memory (PSS where read, else estimated from RSS) over the
            machine's, 0-100.
        rss_bytes: summed over processes (shared pages counted more than once).
        pss_bytes: proportional set size (shared pages once); None where it was not read at this
            sample.
        processes: how many live processes the tree has.
    """

    time: float
    phase: str
    cpu_percent: float
    memory_percent: float
    rss_bytes: int
    pss_bytes: int | None
    processes: int


@dataclass(frozen=True)
class Plan:
    """What would run: facts by name, in the order in which they are told."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class JobNote:
    """What a sweep's table shows of one job."""

    run_id: str = ""
    status: str = "RUNNING"
    metric: str = ""
    quality: float | None = None
    wall_seconds: float | None = None
    cpu_percent: float | None = None
    memory_percent: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What one benchmark gives back to its caller; the same facts stand in its MLflow run."""

    run_id: str
    name: str
    status: Status
    metric: str
    best_params: Params
    metrics: Mapping[str, float]
    trials: tuple[Trial, ...]
    candidates: tuple[CandidateResult, ...]
    model: FittedModel | None
    artifacts: Path | None = None
    reason: str | None = None
