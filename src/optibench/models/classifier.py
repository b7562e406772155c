"""The common part of scikit-learn's classifiers: identity, fit and prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.models.hyperparameters import Tunable
from optibench.records import Params, Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classifier(Tunable):
    """Base class; a model adds its catalogue, its defaults and `make`.

    Attributes:
        defaults: scikit-learn's defaults, written out so that none is implicit.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    accepts_missing: ClassVar[bool] = False
    accepts_categories: ClassVar[bool] = False
    fit_sharing: ClassVar[None] = None
    defaults: ClassVar[dict[str, Any]]

    def identity(self, params: Params) -> Hashable:
        """Return every hyperparameter; those that `params` leaves out have their defaults."""
        full = {**self.defaults, **params}
        return frozenset((name, type(value), value) for name, value in full.items())

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit the estimator; `seed` has no effect, because nothing is drawn here."""
        del seed
        return estimator.fit(X, y)

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Predict classes and their probabilities."""
        labels = estimator.predict(X).astype("int64")
        return Prediction(labels, estimator.predict_proba(X))


def most_probable(probabilities: NDArray[Any]) -> Prediction:
    """Predict for each row the most probable class, the first of equally probable ones."""
    return Prediction(probabilities.argmax(axis=1).astype("int64"), probabilities)
