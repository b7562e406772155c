"""The few protocols that rooms meet through. Read this file and `records.py` first.

A plug-in (dataset, model, search, backend) is a frozen dataclass; its fields are the schema of its
YAML file in conf/, so that a wrong type or an unknown key fails by name. The module
`optibench/<room>/<name>.py` (or folder `<name>/`) of a plug-in names its class in the module
constant `PLUGIN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from optibench.records import (
    Batch,
    BatchOutcome,
    Candidate,
    CandidateResult,
    DataFacts,
    EngineRequest,
    FittedModel,
    Params,
    Prediction,
    RunHeader,
    Sample,
    Status,
    Table,
    Task,
)

if TYPE_CHECKING:
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

WorkerTask = Callable[[Any, Batch], BatchOutcome]


class DatasetSource(Protocol):
    """Reads one table."""

    name: str
    scale: bool | str  # standardise the features: true, false, or auto (for clustering)

    def load(self, seed: int) -> Table:
        """Read the table; raise `DataError` where there is nothing usable to read."""


class Model(Protocol):
    """One kind of estimator: its task, its hyperparameters, how to make, fit and ask it."""

    name: str
    task: ClassVar[Task]
    params: Mapping[str, Any]
    space: Mapping[str, Any]
    modules: ClassVar[tuple[str, ...]]  # imported by every worker before the search's clock starts
    libraries: ClassVar[tuple[str, ...]]  # packages that the fitted model needs where it is loaded
    accepts_missing: ClassVar[bool]
    accepts_categories: ClassVar[bool]

    def check(self, params: Params) -> None:
        """Raise `ConfigError` for an unknown hyperparameter or a value that is not allowed."""

    def estimator(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make an unfitted estimator with every default explicit."""

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Ask a fitted estimator about rows."""


class EvaluationSettings(Protocol):
    """How a model is judged (conf/evaluation)."""

    test_size: float
    folds: int
    metric: str | None
    silhouette_sample: int
    groups: str | None
    time: str | None


class Search(Protocol):
    """Proposes candidates; knows no engine and no data."""

    name: str
    seed: int

    def start(self, params: Params, space: Mapping[str, Any]) -> SearchState:
        """Begin a search: every candidate is `params` with a point of `space` on top.

        A space holds lists and distributions.

        Raises:
            ConfigError: the space is empty, or this search cannot walk it.
        """


class SearchState(Protocol):
    """A search under way."""

    total: int  # how many candidates it will propose at most
    uses_folds: bool  # False: its one candidate is fitted without a search

    def ask(self) -> Sequence[Candidate]:
        """The next candidates; empty when the search is over."""

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """What became of the candidates asked for."""


class Engine(Protocol):
    """A started engine: its workers are up and have imported what a trial needs."""

    slots: int  # how many batches run at the same time
    notes: tuple[str, ...]  # what cannot be measured on this engine, in sentences
    overhead_seconds: float  # measured cost of one task; batches are made long against it

    def share(self, value: Any) -> Any:
        """Send `value` once to every worker; the handle stands for it in `submit`."""

    def submit(self, task: WorkerTask, shared: Any, batch: Batch) -> Future[BatchOutcome]:
        """Run `task(value, batch)` on some worker, where `shared` is the handle of value."""

    def versions(self) -> Mapping[str, str]:
        """Versions of the engine's own libraries (and Java)."""


class Backend(Protocol):
    """An engine as configured, not yet started."""

    name: str
    workers: int | None  # None: cores // threads_per_trial
    threads_per_trial: int
    parallelism: str

    def check(self, workers: int) -> None:
        """Raise `ConfigError` for what can be refused without the engine.

        That is, for one, an address that nobody answers at.
        """

    def open(self, request: EngineRequest) -> AbstractContextManager[Engine]:
        """Start the engine, or connect to it, and stop it at the end, leaving no process behind.

        Raises:
            EngineError: it cannot be started or reached.
        """


class Tracker(Protocol):
    """Where a run is written down. Every call is made outside the timed regions."""

    def start(self, header: RunHeader) -> str:
        """Create the run and return its id."""

    def log_candidates(self, metric: str, candidates: Sequence[CandidateResult]) -> None:
        """One nested run per candidate."""

    def log_series(self, samples: Sequence[Sample]) -> None:
        """The resource samples as metric series under `system/`."""

    def log_artifacts(self, directory: Path) -> None:
        """Copy every file below `directory` to the run's artifacts."""

    def log_model(self, model: FittedModel) -> None:
        """The fitted winner, loadable where OptiBench is not installed."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Parameters known only at the end (`best_*`)."""

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """The final batch of metrics."""

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the run; `reason` says why where it did not finish."""
