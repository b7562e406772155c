"""A table in chunks at the workers of a Dask cluster."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from distributed import get_worker, wait

from optibench.backends.common.memory_mapping import MappedValue
from optibench.backends.dask.scattered_value import ScatteredValue
from optibench.errors import EngineError
from optibench.records import Chunk, StoredChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from optibench.backends.dask.engine import DaskEngine
    from optibench.contracts import (
        PartitionedTable,
        PredictionRequest,
        ReadChunks,
        SharedValue,
        Shares,
    )
    from optibench.records import Block

TRIES = 4  # per fit or read


@dataclass(frozen=True, eq=False)
class HeldChunk:
    """A chunk at a worker, as the driver knows it.

    Attributes:
        shape: shape of its features.
        future: Dask's future of the `Chunk`.
        worker: the worker where it was put; others may have copies that were made for calls there.
    """

    part: int
    shape: tuple[int, int]
    future: Any
    worker: str


class DaskPartitions:
    """Chunks that stay where they were read.

    Share i is always read by worker i. The same rows are summed in the same places, so that sums
    round alike whichever workers were lost before.
    """

    def __init__(self, engine: DaskEngine) -> None:
        """Create partitions without chunks."""
        self._engine = engine
        self._client = engine.client
        self._source: tuple[SharedValue[PartitionedTable], Shares, ReadChunks]
        self._in_files = False
        self._workers: list[str] = []
        self.chunks: list[HeldChunk] = []

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """Read each share at one worker, and wait until all chunks are there."""
        self._source, self._in_files = (table, shares, read), in_files
        self.hold_again()

    def hold_again(self) -> None:
        """Read the whole table again from its source.

        Raises:
            EngineError: the cluster moved the chunks again and again.
        """
        for _ in range(TRIES):
            self._hold()
            if self.in_place():
                return
        msg = (
            f"After {TRIES} attempts parts of the table are not at the workers where they were "
            "put: workers were lost, or the cluster moves data. Use a cluster at backend.address "
            "with no more workers than backend.workers, or switch off "
            "distributed.scheduler.work-stealing there."
        )
        raise EngineError(msg)

    def in_place(self) -> bool:
        """Return True if every chunk is at the worker where it was put."""
        futures = [chunk.future for chunk in self.chunks]
        # A future is cancelled if the results from which it is computed were lost.
        if any(future.cancelled() for future in futures):
            return False
        where = self._client.who_has(futures)
        present = [chunk.worker in where.get(chunk.future.key, ()) for chunk in self.chunks]
        return bool(present) and all(present)

    def _hold(self) -> None:
        shared, shares, read = self._source
        table: Any = shared
        if isinstance(shared, ScatteredValue):
            if shared.future.status != "finished":  # lost with the last worker that had it
                shared = self._engine.scatter(shared.value)
                self._source = (shared, shares, read)
            table = shared.future
        in_files = self._in_files
        read_batch: Any = _read_to_files if in_files else _read
        pick: Any = _nth_in_files if in_files else _nth
        self.chunks.clear()
        client, self._workers = self._client, self._engine.workers.live()
        # Earlier losses are repaired here and do not count as retries of a fit.
        self._engine.losses.reset(self._engine.workers.known() - set(self._workers))
        if in_files:
            self._engine.disable_spilling(self._workers)
        if self._engine.before_batch is not None:
            client.run(self._engine.before_batch, workers=self._workers)
        batches = [
            (batch, self._workers[i % len(self._workers)])
            for i, share in enumerate(shares)
            for batch in share
        ]
        submit = self._engine.metrics.submit
        tasks = [submit(read_batch, read, table, batch, **_at(at)) for batch, at in batches]
        descriptions = client.gather([submit(_describe, task) for task in tasks])
        for task, shapes, (_, worker) in zip(tasks, descriptions, batches, strict=True):
            self.chunks += [
                HeldChunk(part, shape, submit(pick, task, k, **_at(worker)), worker)
                for k, (part, shape) in enumerate(shapes)
            ]
        futures = [chunk.future for chunk in self.chunks]
        wait_for: Any = wait  # distributed's functions have no types
        with client.as_current():
            wait_for(futures)
        for future in futures:
            if future.status == "error":
                future.result()  # raises its error
        if self._engine.rebalance and not in_files:  # files cannot be moved
            client.rebalance(futures, workers=self._workers)
            where = client.who_has(futures)
            self.chunks = [
                replace(chunk, worker=next(iter(where.get(chunk.future.key, ())), chunk.worker))
                for chunk in self.chunks
            ]

    @property
    def workers(self) -> list[str]:
        """The workers to which shares were assigned; one may have got none."""
        return self._workers

    def all_there(self) -> bool:
        """Return True if no worker with chunks was lost, nor any chunk."""
        return self._engine.workers.answer(list(self.at_each_worker())) and self.in_place()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have all chunks in place inside; a table that is not persisted is read each time.

        The whole table is read again after worker loss, because Dask itself recomputes chunks at
        other workers.
        """
        if not self.in_place():
            self.hold_again()
        yield
        if self._engine.persist == "none":
            self.chunks.clear()

    def of(self, wanted: Container[int]) -> list[HeldChunk]:
        """Return the chunks of some parts."""
        return [chunk for chunk in self.chunks if chunk.part in wanted]

    def each(
        self, parts: Container[int], function: Callable[..., Any], *arguments: Any
    ) -> list[Any]:
        """Call `function(chunk, *arguments)` where each chunk is; return the results in order."""
        submit = self._engine.metrics.submit
        calls = [
            submit(function, chunk.future, *arguments, **_at(chunk.worker))
            for chunk in self.of(parts)
        ]
        return list(self._client.gather(calls))

    def rows(self, request: PredictionRequest, scored_by: str) -> Chunk:
        """Gather the requested rows, sorted by their order."""
        sampled = methodcaller(scored_by, request.limit)
        with self.in_use():
            return Chunk.join(self.each(request.parts, sampled)).in_order()

    def at_each_worker(self) -> dict[str, list[str]]:
        """Return the keys of the chunks by worker; workers without chunks are left out."""
        keys: dict[str, list[str]] = {}
        for chunk in self.chunks:
            keys.setdefault(chunk.worker, []).append(chunk.future.key)
        return keys

    def close(self) -> None:
        """Free the chunks."""
        self.chunks.clear()
        self._engine.enable_spilling()


def held_here(keys: Sequence[str]) -> list[Chunk]:
    """Return the chunks of these keys in a worker, read from its own storage.

    They are not task inputs: the scheduler refuses a task whose inputs exceed the worker's memory,
    even if they are stored in files.
    """
    worker: Any = get_worker  # distributed's functions have no types
    data = worker().data
    return [data[key] for key in keys]


def _at(worker: str) -> dict[str, Any]:
    """Return the arguments of `Client.submit` for a preferred worker; others are allowed."""
    return {"workers": [worker], "allow_other_workers": True}


def _read(
    read: ReadChunks,
    table: PartitionedTable | MappedValue[PartitionedTable],
    batch: Sequence[Block],
) -> list[Chunk]:
    """Read the chunks of a batch in a worker, from a mapped or scattered table."""
    return read(table.view() if isinstance(table, MappedValue) else table, batch)


def _read_to_files(
    read: ReadChunks,
    table: PartitionedTable | MappedValue[PartitionedTable],
    batch: Sequence[Block],
) -> list[StoredChunk]:
    """Read the chunks of a batch in a worker and store them in its files."""
    worker: Any = get_worker  # distributed's functions have no types
    folder = worker().local_directory
    return [chunk.stored(folder) for chunk in _read(read, table, batch)]


def _nth_in_files(chunks: Sequence[Chunk | StoredChunk], number: int) -> StoredChunk:
    """Return one chunk, stored in files; one that another worker read arrives in memory."""
    chunk = chunks[number]
    worker: Any = get_worker  # distributed's functions have no types
    return chunk.stored(worker().local_directory) if isinstance(chunk, Chunk) else chunk


def _describe(chunks: Sequence[Chunk]) -> list[tuple[int, tuple[int, int]]]:
    return [(chunk.part, chunk.shape) for chunk in chunks]


def _nth(chunks: Sequence[Chunk], number: int) -> Chunk:
    return chunks[number]
