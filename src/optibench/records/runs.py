"""One benchmark: what its engine is started with, what it measures, what it gives back."""

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
    """What an engine is asked to start with.

    Attributes:
        workers: worker processes, each running one trial at a time.
        threads: OpenMP and BLAS threads of each worker.
        modules: imported by every worker before the clock of the search starts.
        logs: a folder for what the engine prints.
        memory_bytes: of this machine, or what its container may take.
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
        estimator: the fitted native estimator (scikit-learn API).
        scaler: fitted StandardScaler or None.
        classes: original class labels in the order of the codes; empty where there are none.
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
    """What is known of a run when it is created.

    Attributes:
        dataset: None where it failed before the run was begun.
    """

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    dataset: Dataset | None
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
    """One look at the whole process tree, and at workers elsewhere that have a watch.

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
