"""Records of one benchmark: the request for its engine, its samples, its result."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from optibench.records.data import Dataset
    from optibench.records.kinds import Params, Status, Task
    from optibench.records.trials import CandidateResult, Trial


@dataclass(frozen=True)
class EngineRequest:
    """What an engine is started with.

    Attributes:
        workers: number of worker processes, each of which runs one trial at a time.
        threads: OpenMP and BLAS threads of each worker.
        modules: modules that every worker imports before the clock of the search starts.
        logs: folder for the engine's output.
        memory_bytes: memory of this machine, or the limit of its container.
    """

    workers: int
    threads: int
    modules: tuple[str, ...]
    logs: Path
    memory_bytes: int


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The refitted winner with all that is needed to use it elsewhere.

    Attributes:
        task: classification, regression or clustering.
        estimator: the fitted native estimator (scikit-learn API).
        scaler: fitted StandardScaler or None.
        classes: original class labels in the order of the codes; empty where there are none.
        feature_names: the columns that the estimator expects, in order.
        categories: labels of each categorical feature in the order of their codes.
        sample: a few raw (unscaled, uncoded) input rows, for signature and input example.
        libraries: names of the packages that the loaded model needs; empty where its class comes
            from a file of the user's.
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
    """What is known about a run when it is created.

    Attributes:
        name: display name.
        params: parameters, by name.
        tags: tags, by name.
        dataset: the data; None if the benchmark failed before its run was created.
        start: seconds since the epoch.
    """

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    dataset: Dataset | None
    start: float


class Entry(NamedTuple):
    """The moment at which the program was entered, where its wall clock starts.

    Attributes:
        seconds: value of `time.perf_counter()`.
        cpu_seconds: CPU time that this process had used.
    """

    seconds: float
    cpu_seconds: float

    @classmethod
    def now(cls) -> Entry:
        """Return the current moment."""
        return cls(time.perf_counter(), time.process_time())


@dataclass(frozen=True)
class Sample:
    """One sample of the whole process tree, and of the remote workers that have a monitor.

    Attributes:
        time: seconds since the epoch.
        phase: the phase that was open.
        cpu_percent: CPU seconds since the last sample / (cores of the machine x elapsed seconds),
            0-100.
        memory_percent: resident memory (PSS if read, else estimated from RSS) / memory of the
            machine, 0-100.
        rss_bytes: sum over the processes (a shared page counts once for each).
        pss_bytes: proportional set size (shared pages count once); None if it was not read for
            this sample.
        processes: number of live processes in the tree.
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
    """What would run.

    Attributes:
        facts: what `plan=true` prints, by name.
    """

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class JobNote:
    """One row in the table of a sweep."""

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
    """The result of one benchmark; its MLflow run holds the same facts.

    Attributes:
        run_id: id of the MLflow run.
        name: `<model>-<backend>-<search>-<dataset>`.
        status: FINISHED.
        metric: the metric that ranked the candidates.
        best_params: hyperparameters of the winner.
        metrics: every metric of the run by its name in MLflow.
        trials: all trials, by candidate and fold.
        candidates: all candidates with their means over the folds and their ranks.
        model: the refitted winner.
    """

    run_id: str
    name: str
    status: Status
    metric: str
    best_params: Params
    metrics: Mapping[str, float]
    trials: tuple[Trial, ...]
    candidates: tuple[CandidateResult, ...]
    model: FittedModel | None
