"""XGBoost on a whole Spark cluster: a barrier stage whose tasks train together.

It works like `xgboost.spark` (the tracker runs in the first task), with one difference: all
candidates of a job are trained in one stage, on rows that are quantised once.

After worker loss the stage is repeated from here: Spark itself repeats only barrier stages that
end in a shuffle, and fails the job of one that returns results.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from optibench.backends.common.distributed_fit import distributed_fit_of
from optibench.backends.common.rendezvous import rendezvous
from optibench.backends.spark.partitions import SparkPartitions, kept_at, scratch
from optibench.backends.spark.settings import TRIES_PER_TASK
from optibench.backends.spark.worker_losses import is_loss
from optibench.errors import EngineError, FitError
from optibench.models.xgboost_distributed import DistributedXGBoost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from optibench.backends.spark.engine import SparkEngine
    from optibench.contracts import (
        DistributedFit,
        FitJob,
        FitSetting,
        PartitionedTable,
        PredictionRequest,
        ReadChunks,
        SharedValue,
        Shares,
        Trainer,
        TrainerRequest,
    )
    from optibench.models.xgboost_distributed import Share
    from optibench.records import Chunk, StoredChunk

    Outcome = tuple[list[Share], str | None]  # of one task, or its error


class SparkXGBoost:
    """Implements `contracts.Trainer`."""

    def __init__(self, engine: SparkEngine, request: TrainerRequest) -> None:
        """Create a trainer that holds no rows yet."""
        self._engine = engine
        self._request = request
        self._distributed_fit = distributed_fit_of(request.model, DistributedXGBoost)
        self._partitions = SparkPartitions(engine, request.profiler)
        self._in_files = False

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """Persist one partition per slot: on disk if a share exceeds a worker's memory."""
        self._in_files = in_files
        level = kept_at(self._engine.persist, in_files=in_files)
        self._partitions.hold(table, shares, read, level)

    def rows(self, request: PredictionRequest) -> Chunk:
        """Gather the requested rows, sorted by their order."""
        return self._partitions.rows(request, self._distributed_fit.scored_by)

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit all candidates in one stage; after worker loss repeat the whole stage."""
        model, setting = self._request.model, self._request.setting
        distributed_fit = self._distributed_fit
        in_files, train_here = self._in_files, self._partitions.profiles.around(_train_here)

        def train(chunks: Iterable[Chunk]) -> Iterator[Outcome]:
            with ExitStack() as stack:
                held: list[Chunk | StoredChunk] = []
                folder = stack.enter_context(scratch()) if in_files else None
                held += chunks if folder is None else (chunk.stored(folder) for chunk in chunks)
                yield train_here(distributed_fit, held, (job, setting))

        outcomes = self._until_done(train, len(job.candidates))
        error = next((error for _, error in outcomes if error is not None), None)
        if error is not None:
            raise FitError(error)
        yield from distributed_fit.gathered(
            [shares for shares, _ in outcomes], model, job, setting
        )

    def _until_done(
        self, train: Callable[[Iterable[Chunk]], Iterator[Outcome]], units: int
    ) -> list[Outcome]:
        for attempt in range(1, TRIES_PER_TASK + 1):
            try:
                return self._partitions.in_barrier(train)
            except EngineError as error:
                if not is_loss(error):
                    raise
                lost = error
                if attempt < TRIES_PER_TASK:
                    self._engine.retries.add(units)
        msg = (
            f"XGBoost lost a worker in each of {TRIES_PER_TASK} attempts (out of memory? Then "
            f"lower backend.workers): {lost}"
        )
        raise EngineError(msg) from lost

    def profiles(self) -> list[bytes]:
        """Return the profiles of ended tasks."""
        return self._partitions.profiles.collected

    def close(self) -> None:
        """Free the chunks."""
        self._partitions.close()


def _train_here(
    distributed_fit: DistributedXGBoost,
    chunks: Sequence[Chunk | StoredChunk],
    job: tuple[FitJob, FitSetting],
) -> Outcome:
    """Train in a task and return its result or error; Spark would retry a raised error."""
    from pyspark import BarrierTaskContext
    from xgboost.collective import CommunicatorContext, get_rank

    context = BarrierTaskContext.get()
    number = context.partitionId()
    tasks = context.getTaskInfos()
    host = tasks[0].address.rsplit(":", 1)[0].strip("[]")
    with ExitStack() as stack:
        own_message = ""
        if number == 0:
            # An error is raised: the other tasks wait, and go on only when the stage fails.
            own_message = json.dumps(stack.enter_context(rendezvous(len(tasks), host)))
        tracker_arguments = json.loads(context.allGather(own_message)[0])
        try:
            with CommunicatorContext(**tracker_arguments, dmlc_task_id=f"{number:06d}"):
                return distributed_fit(chunks, *job, first=get_rank() == 0), None
        except Exception as error:
            return [], f"{type(error).__name__}: {error}"


TRAINER: Callable[[SparkEngine, TrainerRequest], Trainer] = SparkXGBoost
