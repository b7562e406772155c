"""How a model lets candidates share fits, and who pays for what is shared."""

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
    """How candidates of one kind of model share fits on one fold, exact to the last bit."""

    def fit_group(self, params: Params) -> Hashable | None:
        """Candidates of one family are fitted together; None: this one is fitted by itself."""

    def continues_exactly(self, params: Params) -> bool:
        """True where a fit that goes on is, to the last bit, one that was never interrupted."""

    def fit(
        self,
        members: Sequence[GroupMember],
        fold: FoldRows,
        costs: CostAttribution,
        setting: FitSetting,
    ) -> Iterator[SharedFit]:
        """Fit the members of one family, and yield each distinct result once.

        What is spent is charged to the bill inside; an exception makes the worker fit the members
        one by one.
        """


@dataclass(frozen=True)
class GroupMember:
    """One candidate of a family in the hands of `FitSharing.fit`.

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
class SharedFit:
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
    def y_train(self) -> NDArray[Any] | None:
        """(n_train,) codes or values, or None."""

    @property
    def X_validation(self) -> NDArray[np.float64]:
        """(n_validation, n_features)."""

    @property
    def n_train_values(self) -> int:
        """Rows x features of the train part."""

    def keep(self, key: Hashable, make: Callable[[], Any], n_bytes: int) -> CacheEntry:
        """`make()` at the first call; the same object at later ones while memory allows."""


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """Something kept with a fold; `cpu_seconds` is what making it cost, `fresh`: just now."""

    value: Any
    cpu_seconds: float
    fresh: bool


class CostAttribution(Protocol):
    """Who pays for what in a unit: shared work in equal parts, and what it would cost alone."""

    def fit(self) -> AbstractContextManager[list[int]]:
        """The time inside goes into fitting; the members who share it are added to the list."""

    def score(self) -> AbstractContextManager[list[int]]:
        """The time inside goes into predicting and scoring; as with `fit`."""

    def reuse(self, members: Sequence[int], what: Reused, cpu_seconds: float = 0.0) -> None:
        """Members got something made earlier, which would have cost each `cpu_seconds`."""
