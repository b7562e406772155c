"""K-means: scikit-learn's KMeans with every default explicit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.models.hyperparameters import SET_HERE, Catalogue, Choice, Number, Tunable
from optibench.models.kmeans_distributed import DistributedKMeans
from optibench.models.kmeans_fit_sharing import (
    DEFAULTS,
    KMeansFitSharing,
    assign,
    complete,
    make_estimator,
)
from optibench.records import DataFacts, Params, Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray

HYPERPARAMETERS = Catalogue(
    model="kmeans",
    specs={
        "n_clusters": Number(low=2, whole=True),
        "init": Choice(("k-means++", "random")),
        "n_init": Number(low=1, whole=True, words=("auto",)),
        "max_iter": Number(low=1, whole=True),
        "tol": Number(low=0),
        "algorithm": Choice(("lloyd", "elkan")),
    },
    aliases={},
    reserved={
        **SET_HERE,
        "verbose": "OptiBench reports progress; use progress=",
        "copy_x": "all trials share the data, which never changes",
    },
)


@dataclass(frozen=True)
class KMeans(Tunable):
    """K-means clustering by Lloyd's or Elkan's algorithm."""

    task: ClassVar[Task] = Task.CLUSTERING
    modules: ClassVar[tuple[str, ...]] = ("sklearn.cluster", "sklearn.metrics")
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    accepts_missing: ClassVar[bool] = False
    accepts_categories: ClassVar[bool] = False
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    fit_sharing: ClassVar[KMeansFitSharing] = KMeansFitSharing()
    distributed_fit: ClassVar[DistributedKMeans] = DistributedKMeans()

    name: str = "kmeans"

    def identity(self, params: Params) -> Hashable:
        """Return every hyperparameter; those that `params` leaves out have their defaults."""
        return frozenset(complete(params).items())

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Create an unfitted `sklearn.cluster.KMeans`.

        `facts` and `threads` have no effect: clusters have no classes, and the OpenMP and BLAS
        limits that the caller sets apply.
        """
        del facts, threads
        return make_estimator({**DEFAULTS, **params}, seed)

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit the centres; `y` and `seed` have no effect."""
        del y, seed
        return estimator.fit(X)

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Assign rows to their nearest centres; the inertia is that of these rows."""
        return assign(estimator, X)
