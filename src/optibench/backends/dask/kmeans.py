"""K-means on a whole Dask cluster, by `dask_ml.cluster.KMeans`.

dask-ml measures convergence by the squared shift of all centres together, not scaled by the data
as scikit-learn does; and what it calls inertia is now and then a sum of plain distances.
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

from optibench.backends.dask.partitions import TRIES, DaskTrainer
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
    from optibench.models.kmeans_distributed import Answer, Start


PACKAGES = ("dask_ml",)  # whose versions decide about scores, beside the model's own


class DaskKMeans(DaskTrainer[DistributedKMeans]):
    """Implements `contracts.Trainer`, and what K-means asks of an engine."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest) -> None:
        """Hold nothing yet."""
        super().__init__(engine, request, DistributedKMeans)
        self._used: dict[str, float] = {}  # CPU seconds by worker

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """One candidate after the other; those that are left anew where rows are gone for good.

        Rows that were lost with some of the workers Dask itself has read again.
        """
        left, losses = list(range(len(job.candidates))), 0
        while True:
            try:
                for fit in self._fits(job, tuple(left)):
                    left.remove(fit.position)
                    losses = 0
                    yield fit
            except (FitError, EngineError, KilledWorker):
                raise
            except Exception as error:
                if not self.partitions.chunks:  # they could not be read
                    raise
                if self.partitions.all_there():
                    cause = f"{type(error).__name__}: {error}"
                    raise FitError(cause) from error
                losses += 1
                if losses == TRIES:
                    msg = f"K-means lost the workers that had its rows {TRIES} times: {error}"
                    raise EngineError(msg) from error
                self.engine.again.add(1)
            else:
                return

    def _fits(self, job: FitJob, positions: Sequence[int]) -> Iterator[DistributedFit]:
        """Of some candidates of a job."""
        part = replace(job, candidates=[job.candidates[i] for i in positions])
        with self.partitions.in_use():
            for fit in self.distributed_fit.fit(part, self.request.setting, self):
                # What a lost worker held or was at, Dask has computed again in this fit.
                self.engine.again.add(int(self.engine.losses.were_heard()))
                yield replace(fit, position=positions[fit.position])

    def lloyd(self, job: FitJob, full: Mapping[str, Any], seed: int) -> Start:
        """One start."""
        told = self._told(full, seed, job.spread)
        # Fused, a task has another meaning in each of the graphs that dask-ml sends one after the
        # other, under the same key: where a worker is lost meanwhile, results are missing.
        as_it_is = config.set({"optimization.fuse.active": False})
        # Else dask-ml's own tasks go to any worker of a given cluster.
        at_ours = annotate(workers=self.partitions.workers, allow_other_workers=True)
        with self.engine.record.span(), self.engine.client.as_current(), as_it_is, at_ours:
            fitted = KMeans(**told).fit(self._array(job))
        centres = fitted.cluster_centers_
        inertia = sum(self.partitions.each(job.train, self.distributed_fit.inertia_of, centres))
        return self.distributed_fit.start(centres, int(fitted.n_iter_), inertia, told)

    def cpu_seconds(self) -> float:
        """Of the run's workers; of one that was lost what it had used when it last said so."""
        ours, known = self.partitions.workers, self.engine.workers.known()
        if not known.issuperset(ours):  # any of the others may have come for a lost one
            ours = sorted(known - self.engine.losses.strangers)
        self._used |= self.engine.client.run(time.process_time, workers=ours, on_error="ignore")
        return float(sum(self._used.values()))

    def ask(self, estimator: Any, ask: PredictionRequest) -> Sequence[Answer]:
        """Where the chunks are."""
        return self.partitions.each(ask.parts, self.distributed_fit.answer, estimator, ask.limit)

    def _told(self, full: Mapping[str, Any], seed: int, spread: float) -> dict[str, Any]:
        """By dask-ml's names; what it has beside these changes nothing."""
        distributed_fit, scalable = self.distributed_fit, full["init"] == "k-means++"
        return {
            "n_clusters": full["n_clusters"],
            "init": distributed_fit.scalable if scalable else full["init"],
            "oversampling_factor": distributed_fit.oversampling * full["n_clusters"],
            "init_max_iter": distributed_fit.rounds,
            "n_init": 10,  # of the K-means over the few rows that k-means|| has drawn
            "max_iter": full["max_iter"],
            "tol": full["tol"] * spread,
            "random_state": seed,
        }

    def _array(self, job: FitJob) -> Any:
        """The rows to train on as one Dask array, a block for each chunk."""
        arrays: Any = array  # Dask's functions have no types
        return arrays.concatenate(
            [
                arrays.from_delayed(_features(chunk), chunk.shape, dtype="float64")
                for chunk in self.partitions.of(job.train)
            ]
        )


def _features(chunk: HeldChunk) -> Any:
    """Where the chunk is; of one in files, what Dask has taken up ahead is not yet read."""
    with annotate(workers=[chunk.worker], allow_other_workers=True):
        return delayed(methodcaller("mapped"), pure=True)(chunk.future)


TRAINER: Callable[[DaskEngine, TrainerRequest], Trainer] = DaskKMeans
