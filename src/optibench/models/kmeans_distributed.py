"""Distributed fits of K-means: the part that is the same on every engine.

Neither dask-ml nor Spark restarts (`n_init`), and both initialise by k-means|| (Bahmani et al.,
2012, "Scalable K-Means++") where scikit-learn uses k-means++. A start is one run of the engine's
Lloyd algorithm with its own seed from one stream. The starts of n_init=10 are the first ten of
n_init=30, so candidates share them. The start with the lowest inertia wins.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from optibench.contracts import DistributedFit
from optibench.errors import ConfigError, FitError
from optibench.models.kmeans_fit_sharing import complete, make_estimator
from optibench.records import Prediction, Reused

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import FitJob, FitSetting, PredictionRequest
    from optibench.records import Chunk, Params

    PartialPrediction = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.float64]]

ROWS_AT_ONCE = 1024  # in the computation of distances


@dataclass(frozen=True, eq=False)
class Start:
    """One run of an engine's Lloyd algorithm.

    Attributes:
        centres: (n_clusters, n_features).
        n_iter: number of iterations.
        inertia: over all rows of the fit.
        applied: the parameters of the engine, by its names.
    """

    centres: NDArray[np.float64]
    n_iter: int
    inertia: float
    applied: Mapping[str, Any]


@dataclass(frozen=True)
class DistributedKMeans:
    """Distributed fits of K-means; the engines' trainers call it.

    Attributes:
        dtype: of the features in chunks.
        value_bytes: memory per value.
        scored_by: the method of chunks that returns what the scores need.
        scalable: the initialisation that replaces init='k-means++'.
        rounds: its number of rounds; five suffice (Bahmani et al., 2012, section 5).
        oversampling: rows drawn in each round, in units of n_clusters.
    """

    dtype: ClassVar[str] = "float64"
    value_bytes: ClassVar[int] = 8
    scored_by: ClassVar[str] = "below"
    scalable: ClassVar[str] = "k-means||"
    rounds: ClassVar[int] = 5
    oversampling: ClassVar[float] = 2.0

    def check(self, params: Params) -> None:
        """Refuse what no engine supports.

        Raises:
            ConfigError: Elkan's algorithm.
        """
        if params.get("algorithm") == "elkan":
            msg = (
                "kmeans: algorithm=elkan is not available with backend.parallelism=data: dask-ml "
                "and Spark have Lloyd's only. Set algorithm=lloyd, or backend.parallelism=trials."
            )
            raise ConfigError(msg)

    @staticmethod
    def start(centres: Any, n_iter: int, inertia: float, applied: Mapping[str, Any]) -> Start:
        """Describe one run of a trainer."""
        import numpy as np

        return Start(np.asarray(centres, dtype=np.float64), n_iter, float(inertia), applied)

    @staticmethod
    def predict_chunk(chunk: Chunk, estimator: Any, limit: int) -> PartialPrediction:
        """In a worker: return order, cluster and squared distance of the rows below `limit`."""
        import numpy as np

        rows = chunk.below(limit)
        labels = (
            estimator.predict(rows.X).astype(np.int64) if len(rows.X) else np.empty(0, np.int64)
        )
        return rows.order, labels, squared_distances(rows.X, estimator.cluster_centers_, labels)

    @staticmethod
    def inertia_of(chunk: Chunk, centres: NDArray[np.float64]) -> float:
        """In a worker: sum the squared distances of a chunk's rows to their nearest centres."""
        from sklearn.metrics import pairwise_distances_argmin

        nearest = pairwise_distances_argmin(chunk.X, centres)
        return float(squared_distances(chunk.X, centres, nearest).sum())

    def fit(self, job: FitJob, setting: FitSetting, cluster: Cluster) -> Iterator[DistributedFit]:
        """Fit one candidate after the other; starts that several candidates need are run once.

        Raises:
            FitError: a candidate has more clusters than there are rows. The engines would return
                fewer clusters, or fail with less clear errors.
        """
        starts = _Starts(job, cluster, setting.seed)
        for position, params in enumerate(job.candidates):
            begin, cpu = time.perf_counter(), cluster.cpu_seconds()
            start, owed = starts.best(params)
            estimator = estimator_of(params, start, setting.seed)
            fitted = time.perf_counter()
            predictions = [
                merged(cluster.predict(estimator, request), request.n_rows)
                for request in job.requests
            ]
            yield DistributedFit(
                position=position,
                estimator=estimator,
                predictions=tuple(predictions),
                fit_seconds=fitted - begin,
                predict_seconds=time.perf_counter() - fitted,
                cpu_seconds=(paid := cluster.cpu_seconds() - cpu),
                standalone_cpu_seconds=paid + sum(owed),
                reused=_reused(len(owed), complete(params)["n_init"]),
                applied=start.applied,
            )


class Cluster(Protocol):
    """What a K-means trainer implements on its engine."""

    def lloyd(self, job: FitJob, full: Mapping[str, Any], seed: int) -> Start:
        """Run one start; `full` has a value for every hyperparameter."""

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that all participating processes have used so far."""

    def predict(self, estimator: Any, request: PredictionRequest) -> Sequence[PartialPrediction]:
        """Return the result of `DistributedKMeans.predict_chunk` for each chunk."""


def _reused(known: int, n_init: int) -> Reused:
    if known:
        return Reused.FIT if known == n_init else Reused.BEGINNING
    return Reused.NOTHING


def merged(predictions: Sequence[PartialPrediction], n_rows: int) -> Prediction:
    """Merge the predictions of all chunks to one prediction, with its rows in their order.

    If the rows are a sample of `n_rows`, the inertia is scaled up to all of them.
    """
    import numpy as np

    order, labels, squared = (np.concatenate(column) for column in zip(*predictions, strict=True))
    rows = np.argsort(order)
    return Prediction(labels[rows], inertia=float(squared[rows].sum()) * (n_rows / len(rows)))


def estimator_of(params: Params, start: Start, seed: int) -> Any:
    """Create a fitted `sklearn.cluster.KMeans` with the centres of a start."""
    full = complete(params)
    once = {**full, "init": start.centres, "n_clusters": len(start.centres)}
    fitted = make_estimator({**once, "n_init": 1, "max_iter": 1}, seed).fit(start.centres)
    fitted.set_params(**{name: full[name] for name in ("init", "n_init", "max_iter")})
    fitted.cluster_centers_ = start.centres
    fitted.n_iter_, fitted.inertia_ = start.n_iter, start.inertia
    del fitted.labels_  # they are those of the centres
    return fitted


def squared_distances(
    X: NDArray[Any], centres: NDArray[Any], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Compute the squared distance of each row to its centre, a few rows at a time."""
    import numpy as np

    squared = np.empty(len(X))
    for first in range(0, len(X), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        squared[rows] = ((X[rows] - centres[labels[rows]]) ** 2).sum(axis=1)
    return squared


@dataclass(eq=False)
class _Starts:
    """The starts run so far on the rows of a job, for all its candidates."""

    job: FitJob
    cluster: Cluster
    seed: int
    _made: dict[Hashable, _Made] = field(default_factory=dict)

    def best(self, params: Params) -> tuple[Start, list[float]]:
        """Return a candidate's best start, and the CPU seconds of the starts that others ran."""
        import numpy as np

        full = complete(params)
        if full["n_clusters"] > self.job.n_rows:
            msg = (
                f"n_clusters={full['n_clusters']} is more than the {self.job.n_rows} rows of the "
                "fit; choose fewer clusters."
            )
            raise FitError(msg)
        seeds = np.random.RandomState(self.seed).randint(2**31 - 1, size=full["n_init"])
        starts: list[Start] = []
        owed: list[float] = []
        for number, seed in enumerate(seeds):
            made = self._known(full, number)
            if made is None:
                cpu = self.cluster.cpu_seconds()
                start = self.cluster.lloyd(self.job, full, int(seed))
                made = _Made(start, full["max_iter"], self.cluster.cpu_seconds() - cpu)
                self._made[_key(full, number)] = made
            else:
                owed.append(made.cpu_seconds)
            starts.append(made.start)
        return min(starts, key=lambda start: start.inertia), owed

    def _known(self, full: Mapping[str, Any], number: int) -> _Made | None:
        """Return a start that was already run; a converged one serves every larger max_iter."""
        made = self._made.get(_key(full, number))
        if made is None or full["max_iter"] == made.max_iter:
            return made
        serves = made.start.n_iter < min(made.max_iter, full["max_iter"])
        return made if serves else None


@dataclass(frozen=True, eq=False)
class _Made:
    """A start, the limit of its iterations, and its CPU seconds."""

    start: Start
    max_iter: int
    cpu_seconds: float


def _key(full: Mapping[str, Any], number: int) -> Hashable:
    return (full["n_clusters"], full["init"], full["tol"], number)
