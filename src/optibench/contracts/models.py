"""A model as configured: its hyperparameters, and how it is made, fitted and queried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts.fit_sharing import FitSharing
    from optibench.records import DataFacts, Params, Prediction, Task


class DistributedFitSupport(Protocol):
    """The part of a model that serves fits on all workers (`backend.parallelism=data`).

    A trainer in `optibench/backends/<engine>/<model>.py` knows the model's own class of it.
    """

    @property
    def dtype(self) -> str:
        """The NumPy type in which workers hold features."""

    @property
    def value_bytes(self) -> int:
        """Bytes of a worker's memory that one value takes, copies that training keeps included."""

    @property
    def scored_by(self) -> str:
        """The name of the method of `Chunk` that selects what scoring needs of its rows."""

    def check(self, params: Params) -> None:
        """Refuse hyperparameters that no engine supports on all workers.

        Raises:
            ConfigError: a value needs all rows in one process.
        """


class Model(Protocol):
    """One kind of estimator: its task, its hyperparameters, how to make, fit and query it."""

    @property
    def name(self) -> str:
        """The choice in `model=`."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The fixed hyperparameters."""

    @property
    def space(self) -> Mapping[str, Any]:
        """What a search may vary: lists and distributions by hyperparameter."""

    @property
    def task(self) -> Task:
        """The task that it solves."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that every worker imports before the clock of the search starts."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The packages that the fitted model needs where it is loaded."""

    @property
    def accepts_missing(self) -> bool:
        """True if it accepts missing values."""

    @property
    def accepts_categories(self) -> bool:
        """True if it accepts columns of categories."""

    @property
    def fit_sharing(self) -> FitSharing | None:
        """How candidates share fits; None: each candidate is fitted separately."""

    @property
    def distributed_fit(self) -> DistributedFitSupport | None:
        """The support for fits on all workers; None: the model is fitted in trials only."""

    def check(self, params: Params) -> None:
        """Raise `ConfigError` for an unknown hyperparameter or a value that is not allowed."""

    def identity(self, params: Params) -> Hashable:
        """Return a key that is equal for hyperparameters that describe the same estimator."""

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make an unfitted estimator with every default explicit."""

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit the estimator and return it; `seed` draws the rows set aside for early stopping."""

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Return the prediction of a fitted estimator for some rows."""
