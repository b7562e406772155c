"""model=nearest: scikit-learn's nearest neighbours."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from optibench.models.classifier import Classifier
from optibench.models.hyperparameters import SET_HERE, Catalogue, Choice, Number

HYPERPARAMETERS = Catalogue(
    model="nearest",
    specs={"n_neighbors": Number(low=1, whole=True), "weights": Choice(("uniform", "distance"))},
    aliases={},
    reserved=SET_HERE,
)


@dataclass(frozen=True)
class NearestNeighbours(Classifier):
    """A class is what most of the nearest rows have."""

    modules: ClassVar[tuple[str, ...]] = ("sklearn.neighbors", "sklearn.metrics")
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    defaults: ClassVar[dict[str, Any]] = {"n_neighbors": 5, "weights": "uniform"}

    name: str = "nearest"
    space: dict[str, Any] = field(default_factory=lambda: {"n_neighbors": [1, 5, 15]})

    def make(self, params, facts, *, seed, threads):
        """Make an unfitted `sklearn.neighbors.KNeighborsClassifier`; it draws nothing."""
        from sklearn.neighbors import KNeighborsClassifier

        del facts, seed
        return KNeighborsClassifier(**{**self.defaults, **params}, n_jobs=threads)
