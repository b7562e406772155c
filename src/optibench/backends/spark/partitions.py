"""A table in chunks that Spark keeps: one partition per slot."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from optibench.backends.spark.session import translated
from optibench.backends.spark.task_profiles import TaskProfiles
from optibench.records import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from optibench.backends.spark.engine import SparkEngine
    from optibench.contracts import (
        PartitionedTable,
        PredictionRequest,
        ReadChunks,
        SharedValue,
        Shares,
        WorkerProfiler,
    )
    from optibench.records import Block

    Share = Sequence[Sequence[Block]]


class SparkPartitions:
    """An RDD of chunks, persisted as `backend.persist` says; lost chunks are read again."""

    def __init__(self, engine: SparkEngine, profiler: WorkerProfiler | None) -> None:
        """Create partitions without chunks."""
        self._engine = engine
        self.profiles = TaskProfiles(engine.context, profiler)
        self._chunks: Any = None

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        level: str,
    ) -> None:
        """Read each share in one task, and keep its chunks at a storage level."""
        context = self._engine.context
        profiled_read = self.profiles.around(read)
        read_share = self.profiles.returning_profile(
            reading(table, profiled_read, self._engine.before_batch)
        )
        self._chunks = context.parallelize(shares, len(shares)).flatMap(read_share)
        persist(self._chunks, level)
        with translated("Spark could not read the table"):
            self._chunks.count()

    def rows(self, request: PredictionRequest, scored_by: str) -> Chunk:
        """Gather the requested rows, sorted by their order."""
        return Chunk.join(
            self.each(request.parts, methodcaller(scored_by, request.limit))
        ).in_order()

    def each(self, parts: Container[int], function: Callable[[Chunk], Any]) -> list[Any]:
        """Call a function on each chunk of some parts, where the chunk is."""
        chosen = self._chunks.filter(lambda chunk: chunk.part in parts)
        mapped = self.profiles.returning_profile(partial(map, self.profiles.around(function)))
        with translated("A Spark job failed"):
            return list(chosen.mapPartitions(mapped).collect())

    def in_barrier(self, function: Callable[[Any], Iterator[Any]]) -> list[Any]:
        """Call a function once per partition, all at the same time (a barrier stage)."""
        task = self.profiles.returning_profile(function)
        with translated("A Spark job failed"):
            return list(self._chunks.barrier().mapPartitions(task).collect())

    def close(self) -> None:
        """Free the chunks."""
        if self._chunks is not None:
            self._chunks.unpersist()


def reading(
    table: SharedValue[PartitionedTable],
    read: ReadChunks,
    before: Callable[[], object] | None,
) -> Callable[[Share], Iterator[Chunk]]:
    """Return the function with which a task reads a share of the shared table."""

    def read_share(share: Share) -> Iterator[Chunk]:
        if before is not None:
            before()
        source = table.view()
        for batch in share:
            yield from read(source, batch)

    return read_share


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Make, in a task, a folder on the executor's disk that is removed at the end."""
    folders = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")
    return tempfile.TemporaryDirectory(prefix="optibench-", dir=folders[0] or None)


def kept_at(level: str, *, in_files: bool) -> str:
    """Return the storage level of a table; one that exceeds the memory is kept on disk alone."""
    return "DISK_ONLY" if in_files and level != "none" else level


def persist(held: Any, level: str) -> None:
    """Keep an RDD or a DataFrame at a storage level, given by name; "none": read it each time."""
    from pyspark import StorageLevel

    if level != "none":
        levels = {
            "MEMORY_ONLY": StorageLevel.MEMORY_ONLY,
            "MEMORY_AND_DISK": StorageLevel.MEMORY_AND_DISK,
            "DISK_ONLY": StorageLevel.DISK_ONLY,
        }
        held.persist(levels[level])
