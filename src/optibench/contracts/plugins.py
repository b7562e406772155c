"""The five kinds of plug-ins, as configured: data, model, evaluation, search, backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts.fit_sharing import FitSharing
    from optibench.contracts.running import Engine
    from optibench.contracts.searching import SearchFacts, SearchState
    from optibench.records import (
        DataFacts,
        EngineRequest,
        Params,
        Prediction,
        Table,
        Task,
    )


class DatasetSource(Protocol):
    """Reads one table."""

    name: str
    scale: bool | str  # standardise the features: true, false, or auto (for clustering)
    drop: tuple[str, ...]  # columns that are left out

    def load(self, seed: int) -> Table:
        """Read the table; raise `DataError` where there is nothing usable to read."""

    def in_blocks(self, *, classes: bool) -> Any | None:
        """The table's files, to be read block by block by workers; None where it has none.

        See `datasets.in_blocks.BlockFiles`. `classes`: the target holds labels.
        """


class Model(Protocol):
    """One kind of estimator: its task, its hyperparameters, how to make, fit and ask it."""

    name: str
    params: Mapping[str, Any]
    space: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """What it is for."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Imported by every worker before the search's clock starts."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Packages that the fitted model needs where it is loaded."""

    @property
    def accepts_missing(self) -> bool:
        """True where it takes missing values."""

    @property
    def accepts_categories(self) -> bool:
        """True where it takes columns of categories."""

    @property
    def fit_sharing(self) -> FitSharing | None:
        """What candidates can share; None: each is fitted by itself."""

    @property
    def distributed_fit(self) -> Any:
        """What the engines' trainers of it are given; None: it is fitted in trials only."""

    def check(self, params: Params) -> None:
        """Raise `ConfigError` for an unknown hyperparameter or a value that is not allowed."""

    def identity(self, params: Params) -> Hashable:
        """Equal for two sets of hyperparameters that describe the same estimator."""

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make an unfitted estimator with every default explicit."""

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit it; `seed` draws the rows that early stopping sets aside. Returns the estimator."""

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Ask a fitted estimator about rows."""


class Evaluation(Protocol):
    """How a model is evaluated (conf/evaluation)."""

    test_size: float
    folds: int
    metric: str | None
    silhouette_sample: int
    groups: str | None
    time: str | None
    default_fit: bool  # the library's default hyperparameters are fitted and scored, too


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


class Backend(Protocol):
    """An engine as configured, not yet started."""

    name: str
    workers: int | None  # None: cores // threads_per_trial
    threads_per_trial: int
    parallelism: str

    @property
    def is_remote(self) -> bool:
        """True for workers that somebody else has started; this machine does not limit them."""

    def check(self, workers: int) -> None:
        """Raise `ConfigError` for what can be refused without the engine.

        That is, for one, an address that nobody answers at.
        """

    def open(self, request: EngineRequest) -> AbstractContextManager[Engine]:
        """Start the engine, or connect to it, and stop it at the end, leaving no process behind.

        Raises:
            EngineError: it cannot be started or reached.
        """
