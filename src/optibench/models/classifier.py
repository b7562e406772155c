"""What scikit-learn's classifiers share: how they are checked, fitted and asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.models.hyperparameters import Catalogue  # noqa: TC001 - OmegaConf looks it up
from optibench.records import Params, Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Classifier:
    """The base of a model that adds its catalogue, its defaults and its estimator.

    Attributes:
        catalogue: what each hyperparameter may be.
        defaults: scikit-learn's own, so that none is left implicit.
    """

    task: ClassVar[Task] = Task.CLASSIFICATION
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    accepts_missing: ClassVar[bool] = False
    accepts_categories: ClassVar[bool] = False
    savings: ClassVar[None] = None
    catalogue: ClassVar[Catalogue]
    defaults: ClassVar[dict[str, Any]]

    name: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)

    def check(self, params: Params) -> None:
        """Refuse an unknown hyperparameter or a value that is not allowed.

        Raises:
            ConfigError: told with the nearest known names, or what is allowed.
        """
        self.catalogue.check(params)

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
