"""K-means on a whole Dask cluster, by `dask_ml.cluster.KMeans`.

dask-ml measures convergence by the squared shift of all centres together, which it does not scale
by the data as scikit-learn does. Its inertia is sometimes a sum of plain distances, so inertia is
computed here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from dask import array, config
from dask.base import annotate
from dask.delayed import delayed
from dask_ml.cluster import KMeans
from distributed.scheduler import KilledWorker

from optibench.backends.dask.partitions import TRIES
from optibench.backends.dask.trainer import DaskTrainer
from optibench.errors import EngineError, FitError
from optibench.models.kmeans_distributed import DistributedKMeans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from optibench.backends.dask.engine import DaskEngine
    from optibench.backends.dask.partitions import HeldChunk
    from optibench.contracts import (
        DistributedFit,
        FitJob,
        PredictionRequest,
        Trainer,
        TrainerRequest,
    )
    from optibench.models.kmeans_distributed import PartialPrediction, Start


PACKAGES = ("dask_ml",)  # whose versions can change scores, in addition to the model's own


class DaskKMeans(DaskTrainer[DistributedKMeans]):
    """Implements `contracts.Trainer` and `models.kmeans_distributed.Cluster`."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest) -> None:
        """Create a trainer that holds no rows yet."""
        super().__init__(engine, request, DistributedKMeans)
        self._cpu_seconds: dict[str, float] = {}  # by worker

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit one candidate after the other; if rows are lost for good, retry the remaining ones.

        Rows that were lost with some of the workers are read again by Dask itself.
        """
        remaining, losses = list(range(len(job.candidates))), 0
        while True:
            try:
                for fit in self._fits(job, tuple(remaining)):
                    remaining.remove(fit.position)
                    losses = 0
                    yield fit
            except (FitError, EngineError, KilledWorker):
                raise
            except Exception as error:
                if not self.partitions.chunks:  # the table could not be read
                    raise
                if self.partitions.all_there():
                    cause = f"{type(error).__name__}: {error}"
                    raise FitError(cause) from error
                losses += 1
                if losses == TRIES:
                    msg = f"K-means lost the workers that held its rows {TRIES} times: {error}"
                    raise EngineError(msg) from error
                self.engine.retries.add(1)
            else:
                return

    def _fits(self, job: FitJob, positions: Sequence[int]) -> Iterator[DistributedFit]:
        """Fit some candidates of a job."""
        part = replace(job, candidates=[job.candidates[i] for i in positions])
        with self.partitions.in_use():
            for fit in self.distributed_fit.fit(part, self.request.setting, self):
                # Dask recomputed in this fit what a lost worker held or was computing.
                self.engine.retries.add(int(self.engine.losses.have_lost_work()))
                yield replace(fit, position=positions[fit.position])

    def lloyd(self, job: FitJob, full: Mapping[str, Any], seed: int) -> Start:
        """Run Lloyd's algorithm once."""
        params = self._engine_params(full, seed, job.spread)
        # dask-ml sends several graphs one after the other. With fusion the same key means another
        # task in each of them, and results are missing if a worker is lost meanwhile.
        no_fusion = config.set({"optimization.fuse.active": False})
        # By default dask-ml's own tasks run on any worker of a given cluster.
        at_workers = annotate(workers=self.partitions.workers, allow_other_workers=True)
        with self.engine.metrics.span(), self.engine.client.as_current(), no_fusion, at_workers:
            fitted = KMeans(**params).fit(self._array(job))
        centres = fitted.cluster_centers_
        inertia = sum(self.partitions.each(job.train, self.distributed_fit.inertia_of, centres))
        return self.distributed_fit.start(centres, int(fitted.n_iter_), inertia, params)

    def cpu_seconds(self) -> float:
        """Return the CPU time of the run's workers; of lost workers the last known value."""
        workers, known = self.partitions.workers, self.engine.workers.known()
        if not known.issuperset(workers):  # any other worker may be a replacement
            workers = sorted(known - self.engine.losses.unused_workers)
        self._cpu_seconds |= self.engine.client.run(
            time.process_time, workers=workers, on_error="ignore"
        )
        return float(sum(self._cpu_seconds.values()))

    def predict(self, estimator: Any, request: PredictionRequest) -> Sequence[PartialPrediction]:
        """Predict where the chunks are."""
        return self.partitions.each(
            request.parts, self.distributed_fit.predict_chunk, estimator, request.limit
        )

    def _engine_params(self, full: Mapping[str, Any], seed: int, spread: float) -> dict[str, Any]:
        """Translate hyperparameters to dask-ml's; its other parameters do not matter here."""
        distributed_fit, scalable = self.distributed_fit, full["init"] == "k-means++"
        return {
            "n_clusters": full["n_clusters"],
            "init": distributed_fit.scalable if scalable else full["init"],
            "oversampling_factor": distributed_fit.oversampling * full["n_clusters"],
            "init_max_iter": distributed_fit.rounds,
            "n_init": 10,  # for the K-means over the few rows that k-means|| has drawn
            "max_iter": full["max_iter"],
            "tol": full["tol"] * spread,
            "random_state": seed,
        }

    def _array(self, job: FitJob) -> Any:
        """Return the rows to train on as one Dask array, with one block per chunk."""
        arrays: Any = array  # Dask's functions have no types
        return arrays.concatenate(
            [
                arrays.from_delayed(_features(chunk), chunk.shape, dtype="float64")
                for chunk in self.partitions.of(job.train)
            ]
        )


def _features(chunk: HeldChunk) -> Any:
    """Read the features at the chunk's worker; those in files are only mapped in advance."""
    with annotate(workers=[chunk.worker], allow_other_workers=True):
        return delayed(methodcaller("mapped"), pure=True)(chunk.future)


TRAINER: Callable[[DaskEngine, TrainerRequest], Trainer] = DaskKMeans
