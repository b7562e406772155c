"""Plug-ins as configured: data, evaluation, search and backend (models are in `models`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from optibench.contracts.blocks import BlockFiles
    from optibench.contracts.running import Engine
    from optibench.contracts.searching import SearchFacts, SearchState
    from optibench.records import EngineRequest, Params, Table


class DatasetSource(Protocol):
    """Reads one table."""

    @property
    def name(self) -> str:
        """The choice in `dataset=`."""

    @property
    def scale(self) -> bool | str:
        """Whether features are standardised: True, False, or auto (for clustering)."""

    @property
    def drop(self) -> tuple[str, ...]:
        """Columns that are left out."""

    def load(self, seed: int) -> Table:
        """Read the table; raise `DataError` if there is nothing usable to read."""

    def in_blocks(self, *, classes: bool) -> BlockFiles | None:
        """Return the table's files for workers to read block by block; None without files.

        Args:
            classes: the target holds labels.
        """


class Evaluation(Protocol):
    """How a model is evaluated (conf/evaluation)."""

    test_size: float
    folds: int
    metric: str | None
    silhouette_sample: int
    groups: str | None
    time: str | None
    default_fit: bool  # also fit and score the library's default hyperparameters


class Search(Protocol):
    """Proposes candidates; it depends on no engine and no data."""

    @property
    def name(self) -> str:
        """The choice in `search=`."""

    @property
    def seed(self) -> int:
        """The seed of its random numbers."""

    @property
    def reuse(self) -> bool:
        """True if candidates share fits where that changes no score."""

    @property
    def deterministic(self) -> bool:
        """True if results are reported in the order of the proposals, whenever they arrive."""

    @property
    def max_seconds(self) -> float | None:
        """Time after which nothing more is proposed; None: no limit."""

    @property
    def target(self) -> float | None:
        """The mean score that ends the search; None: no target."""

    def start(self, params: Params, space: Mapping[str, Any], facts: SearchFacts) -> SearchState:
        """Begin a search, whose candidates are `params` updated with a point of `space`.

        A space holds lists and distributions.

        Raises:
            ConfigError: the space is empty, or this search does not support it.
        """


class Backend(Protocol):
    """An engine as configured, not yet started."""

    @property
    def name(self) -> str:
        """The name of the choice (conf/backend/<name>.yaml)."""

    @property
    def workers(self) -> int | None:
        """The number of workers; None: cores // threads_per_trial."""

    @property
    def threads_per_trial(self) -> int:
        """The number of threads that a trial may use."""

    @property
    def parallelism(self) -> str:
        """One of `trials`, `data` and `auto`."""

    @property
    def keep_alive(self) -> bool:
        """True if the engine outlives the run and serves the next one."""

    @property
    def location(self) -> str | None:
        """The address of the cluster or master where the engine runs; None: on this machine."""

    @property
    def persist(self) -> str | None:
        """Where fits on all workers keep the table; None: the engine has no such fits."""

    @property
    def is_remote(self) -> bool:
        """True if the workers belong to a given cluster; this machine does not limit them."""

    def with_parallelism(self, parallelism: str) -> Self:
        """Return a copy with another `parallelism`."""

    def check(self, workers: int) -> None:
        """Raise `ConfigError` for settings that can be refused without starting the engine.

        An address at which no server answers is such a setting.
        """

    def open(self, request: EngineRequest) -> AbstractContextManager[Engine]:
        """Start the engine, or connect to it, and stop it at the end, leaving no process behind.

        Raises:
            EngineError: it cannot be started or reached.
        """
