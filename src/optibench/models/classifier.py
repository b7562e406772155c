"""What scikit-learn's classifiers share: how they are checked, fitted and asked."""

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
    """The base of a model that adds its catalogue, its defaults and how it is made.

    Attributes:
        defaults: scikit-learn's own, so that none is left implicit.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    accepts_missing: ClassVar[bool] = False
    accepts_categories: ClassVar[bool] = False
    fit_sharing: ClassVar[None] = None
    defaults: ClassVar[dict[str, Any]]

    def identity(self, params: Params) -> Hashable:
        """Every hyperparameter, those left out with their defaults."""
        full = {**self.defaults, **params}
        return frozenset((name, type(value), value) for name, value in full.items())

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit it; nothing is drawn here, so that `seed` changes nothing."""
        del seed
        return estimator.fit(X, y)

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """The classes and their probabilities."""
        labels = estimator.predict(X).astype("int64")
        return Prediction(labels, estimator.predict_proba(X))


def most_probable(probabilities: NDArray[Any]) -> Prediction:
    """The class of each row is the most probable one, the first of equals."""
    return Prediction(probabilities.argmax(axis=1).astype("int64"), probabilities)
