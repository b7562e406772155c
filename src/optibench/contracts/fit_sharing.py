"""How a model lets candidates share fits, and how the shared cost is attributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from optibench.records import (
        DataFacts,
        Params,
        Prediction,
        Reused,
    )


class FitSharing(Protocol):
    """How candidates of one kind of model share fits on one fold without changing any bit."""

    def fit_group(self, params: Params) -> Hashable | None:
        """Return the group whose candidates are fitted together; None: fit this one separately."""

    def continues_exactly(self, params: Params) -> bool:
        """Return True if a continued fit equals an uninterrupted one to the last bit."""

    def fit(
        self,
        members: Sequence[GroupMember],
        fold: FoldRows,
        costs: CostAttribution,
        setting: FitSetting,
    ) -> Iterator[SharedFit]:
        """Fit the members of one group, and yield each distinct result once.

        The time spent is charged to `costs`. After an exception the worker fits the members one
        by one.
        """


@dataclass(frozen=True)
class GroupMember:
    """One candidate of a group that `FitSharing.fit` fits.

    Attributes:
        state: the state of the fit that it continues; None: it starts a new fit.
        resumable: the state of its own fit is needed afterwards.
    """

    params: Params
    state: bytes | None = None
    resumable: bool = False


@dataclass(frozen=True)
class FitSetting:
    """What an estimator is made with in addition to its hyperparameters."""

    facts: DataFacts
    seed: int
    threads: int


@dataclass(frozen=True, eq=False)
class SharedFit:
    """One fitted result, and the positions of the members that it belongs to.

    Attributes:
        states: per position, what a candidate needs to continue this fit.
    """

    members: tuple[int, ...]
    prediction: Prediction
    states: Mapping[int, bytes]


class FoldRows(Protocol):
    """One fold in a worker, with a cache for what its trials have in common."""

    @property
    def X_train(self) -> NDArray[np.float64]:
        """(n_train, n_features)."""

    @property
    def y_train(self) -> NDArray[Any] | None:
        """(n_train,) codes or values, or None."""

    @property
    def X_validation(self) -> NDArray[np.float64]:
        """(n_validation, n_features)."""

    @property
    def n_train_values(self) -> int:
        """Rows x features of the train part."""

    def keep(self, key: Hashable, make: Callable[[], Any], n_bytes: int) -> CacheEntry:
        """Return the cached object of `key`; call `make` if there is none.

        Args:
            key: identifies the object within the fold.
            make: makes the object.
            n_bytes: its size; an object for which there is no room is not cached.
        """


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """An object cached with a fold.

    Attributes:
        cpu_seconds: what making it cost.
        fresh: it was made by this call.
    """

    value: Any
    cpu_seconds: float
    fresh: bool


class CostAttribution(Protocol):
    """Attributes the cost of a unit: shared work in equal parts, and what it would cost alone."""

    def fit(self) -> AbstractContextManager[list[int]]:
        """Count the time inside as fitting; add the members that share it to the list."""

    def score(self) -> AbstractContextManager[list[int]]:
        """Count the time inside as predicting and scoring; use the list as with `fit`."""

    def reuse(self, members: Sequence[int], what: Reused, cpu_seconds: float = 0.0) -> None:
        """Note that members reused something that would have cost each `cpu_seconds`."""
