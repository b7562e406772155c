"""What all trainers on a Dask cluster do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from optibench.backends.common.distributed_fit import distributed_fit_of
from optibench.backends.dask.partitions import DaskPartitions

if TYPE_CHECKING:
    from optibench.backends.dask.engine import DaskEngine
    from optibench.contracts import (
        DistributedFitSupport,
        PartitionedTable,
        PredictionRequest,
        ReadChunks,
        SharedValue,
        Shares,
        TrainerRequest,
    )
    from optibench.records import Chunk

F = TypeVar("F", bound="DistributedFitSupport")


class DaskTrainer(Generic[F]):
    """What Dask's trainers have in common; each adds `fit`."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest, kind: type[F]) -> None:
        """Create a trainer for the model's support of class `kind`; it holds no rows yet."""
        self.engine = engine
        self.request = request
        self.distributed_fit = distributed_fit_of(request.model, kind)
        self.partitions = DaskPartitions(engine)
        engine.metrics.profiler = request.profiler
        self.profiles()  # discard those of a run that ended before it fetched them

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """Hold the table in the workers' memory; beyond their limit Dask spills to their disks."""
        self.partitions.hold(table, shares, read, in_files=in_files)

    def rows(self, request: PredictionRequest) -> Chunk:
        """Gather the requested rows, sorted by their order."""
        return self.partitions.rows(request, self.distributed_fit.scored_by)

    def profiles(self) -> list[bytes]:
        """Fetch the profiles of the present workers; failures are ignored."""
        profiler = self.request.profiler
        if profiler is None:
            return []
        profiles = self.engine.client.run(profiler.hand_over, on_error="ignore")
        return list(profiles.values())

    def close(self) -> None:
        """Free the chunks."""
        self.partitions.close()
