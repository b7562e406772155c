"""The few protocols that rooms meet through. Read this file and `records.py` first.

A plug-in (dataset, model, search, backend) is a frozen dataclass; its fields are the schema of its
YAML file in conf/, so that a wrong type or an unknown key fails by name. The module
`optibench/<room>/<name>.py` (or folder `<name>/`) of a plug-in names its class in the module
constant `PLUGIN`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    Reused,
    RunHeader,
    Sample,
    Status,
    Table,
    Task,
    Trial,
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
    savings: ClassVar[Savings | None]  # what candidates can share; None: each is fitted by itself

    def check(self, params: Params) -> None:
        """Raise `ConfigError` for an unknown hyperparameter or a value that is not allowed."""

    def identity(self, params: Params) -> Hashable:
        """Equal for two sets of hyperparameters that describe the same estimator."""

    def estimator(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make an unfitted estimator with every default explicit."""

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[np.int64] | None, *, seed: int
    ) -> Any:
        """Fit it; `seed` draws the rows that early stopping sets aside. Returns the estimator."""

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Ask a fitted estimator about rows."""


class Savings(Protocol):
    """How candidates of one kind of model share fits on one fold, exact to the last bit."""

    def family(self, params: Params) -> Hashable | None:
        """Candidates of one family are fitted together; None: this one is fitted by itself."""

    def fit(
        self, members: Sequence[Member], fold: FoldRows, bill: Bill, setting: FitSetting
    ) -> Iterator[Shared]:
        """Fit the members of one family, and yield each distinct result once.

        What is spent is charged to the bill inside; an exception makes the worker fit the members
        one by one.
        """


@dataclass(frozen=True)
class Member:
    """One candidate of a family in the hands of `Savings.fit`.

    Attributes:
        state: what the fit that it continues left behind, or None: it starts anew.
        resumable: its own state is asked for.
    """

    params: Params
    state: bytes | None = None
    resumable: bool = False


@dataclass(frozen=True)
class FitSetting:
    """What an estimator is made with beside its hyperparameters."""

    facts: DataFacts
    seed: int
    threads: int


@dataclass(frozen=True, eq=False)
class Shared:
    """One fitted result and the members whose result it is, by their position.

    Attributes:
        states: per position what a candidate that continues this one needs.
    """

    members: tuple[int, ...]
    prediction: Prediction
    states: Mapping[int, bytes]


class FoldRows(Protocol):
    """One fold as a worker holds it, and what is worth keeping between its trials."""

    @property
    def X_train(self) -> NDArray[np.float64]:
        """(n_train, n_features)."""

    @property
    def y_train(self) -> NDArray[np.int64] | None:
        """(n_train,) codes, or None."""

    @property
    def X_validation(self) -> NDArray[np.float64]:
        """(n_validation, n_features)."""

    @property
    def n_train_values(self) -> int:
        """Rows x features of the train part."""

    def keep(self, key: Hashable, make: Callable[[], Any], n_bytes: int) -> Kept:
        """`make()` at the first call; the same object at later ones while memory allows."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Something kept with a fold; `cpu_seconds` is what making it cost, `fresh`: just now."""

    value: Any
    cpu_seconds: float
    fresh: bool


class Bill(Protocol):
    """Who pays for what in a unit: shared work in equal parts, and what it would cost alone."""

    def fit(self) -> AbstractContextManager[list[int]]:
        """The time inside goes into fitting; the members who share it are added to the list."""

    def score(self) -> AbstractContextManager[list[int]]:
        """The time inside goes into predicting and scoring; as with `fit`."""

    def reuse(self, members: Sequence[int], what: Reused, cpu_seconds: float = 0.0) -> None:
        """Members got something made earlier, which would have cost each `cpu_seconds`."""


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
    reuse: bool  # share fits between candidates where that changes no score
    deterministic: bool  # results are told in the order asked for, whenever they came
    max_seconds: float | None  # proposes nothing more afterwards
    target: float | None  # a mean score that ends the search

    def start(self, params: Params, space: Mapping[str, Any], facts: SearchFacts) -> SearchState:
        """Begin a search: every candidate is `params` with a point of `space` on top.

        A space holds lists and distributions.

        Raises:
            ConfigError: the space is empty, or this search cannot walk it.
        """


@dataclass(frozen=True)
class SearchFacts:
    """What a search is told of the benchmark.

    Attributes:
        metric: that ranks candidates; greater_is_better: which way.
        folds: of the cross-validation.
    """

    metric: str
    greater_is_better: bool
    folds: int


@dataclass(frozen=True)
class Journal:
    """Where a search may write down what it learns, so that an interrupted one goes on.

    Attributes:
        folder: beside the embedded MLflow database; it exists.
        name: the same for runs that ask the same question: configuration and data.
    """

    folder: Path
    name: str


class SearchState(Protocol):
    """A search under way. `search/proposals.py` has a base class with the usual answers."""

    total: int  # how many candidates it will propose at most
    uses_folds: bool  # False: its one candidate is fitted without a search
    window: int | None  # candidates asked for and not yet told, at most; None: any number
    prunes: bool  # `prune` is asked after each fold, and folds run one after the other
    examples: Sequence[Candidate]  # stand for all it may propose in checks before the start

    def open(self, journal: Journal) -> None:
        """Called once before the first `ask`: a search that learns takes up what is written."""

    def ask(self, room: int) -> Sequence[Candidate]:
        """At most `room` new candidates, none where it must hear first or is over."""

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """All trials of a candidate that an interrupted search had evaluated; else empty."""

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """True where the scores of its first folds say that the rest is not worth running."""

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """What became of candidates asked for; KILLED ones were pruned or stopped."""

    def close(self, *, finished: bool) -> None:
        """The search is over; `finished`: by itself, so that there is nothing to go on with."""


class Engine(Protocol):
    """A started engine: its workers are up and have imported what a trial needs."""

    slots: int  # how many batches run at the same time
    notes: tuple[str, ...]  # what cannot be measured on this engine, in sentences
    overhead_seconds: float  # measured cost of one task; batches are made long against it

    def share(self, value: Any) -> Any:
        """Send `value` once to every worker; the handle stands for it in `submit`."""

    def view(self, shared: Any) -> Any:
        """The driver's own look at a shared value; mapped, not copied, where workers map it."""

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

    @property
    def journal_folder(self) -> Path | None:
        """Where a search may write down what it learns; None: nowhere."""

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
