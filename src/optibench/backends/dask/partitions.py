"""A table in chunks at the workers of a Dask cluster."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from distributed import get_worker, wait

from optibench.backends.common.distributed_fit import distributed_fit_of
from optibench.backends.common.memory_mapping import MappedValue
from optibench.backends.dask.scattered_value import ScatteredValue
from optibench.errors import EngineError
from optibench.records import Chunk, StoredChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

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
    from optibench.records import Block

F = TypeVar("F", bound="DistributedFitSupport")

TRIES = 4


@dataclass(frozen=True, eq=False)
class HeldChunk:
    """A chunk at a worker, as the driver knows it.

    Attributes:
        shape: of its features.
        future: stands for the `Chunk`.
        worker: where it was put. Copies may come to be elsewhere, made for calls there.
    """

    part: int
    shape: tuple[int, int]
    future: Any
    worker: str


class DaskPartitions:
    """Chunks that stay where they were read.

    Share i is always read by worker i: the same rows meet in the same places, and sums over them
    round alike, whichever workers were lost before.
    """

    def __init__(self, engine: DaskEngine) -> None:
        """Hold nothing yet."""
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
        """Read each share at one worker, and wait until all are there."""
        self._source, self._in_files = (table, shares, read), in_files
        self.hold_again()

    def hold_again(self) -> None:
        """From the source, as a whole.

        Raises:
            EngineError: the cluster has moved it again and again.
        """
        for _ in range(TRIES):
            self._hold()
            if self.in_place():
                return
        msg = (
            f"After {TRIES} attempts parts of the table are not at the workers that they were put "
            "at: workers were lost, or the cluster moves what it is given. Give a cluster at "
            "backend.address no more workers than backend.workers, or switch off "
            "distributed.scheduler.work-stealing there."
        )
        raise EngineError(msg)

    def in_place(self) -> bool:
        """True where every chunk lies at the worker that it was put at."""
        futures = [chunk.future for chunk in self.chunks]
        if any(future.cancelled() for future in futures):  # gone with what they are computed from
            return False
        where = self._client.who_has(futures)
        at_home = [chunk.worker in where.get(chunk.future.key, ()) for chunk in self.chunks]
        return bool(at_home) and all(at_home)

    def _hold(self) -> None:
        shared, shares, read = self._source
        table: Any = shared
        if isinstance(shared, ScatteredValue):
            if shared.future.status != "finished":  # gone with the last worker that had it
                shared = self._engine.scatter(shared.value)
                self._source = (shared, shares, read)
            table = shared.future
        in_files = self._in_files
        look: Any = _read_to_files if in_files else _read
        keep: Any = _nth_in_files if in_files else _nth
        self.chunks.clear()
        client, self._workers = self._client, self._engine.workers.live()
        # What losses have cost so far is made good here, not in a fit.
        self._engine.losses.begin_anew(self._engine.workers.known() - set(self._workers))
        if in_files:
            self._engine.hold_back(self._workers)
        if self._engine.before_batch is not None:
            client.run(self._engine.before_batch, workers=self._workers)
        batches = [
            (batch, self._workers[i % len(self._workers)])
            for i, share in enumerate(shares)
            for batch in share
        ]
        submit = self._engine.record.submit
        wholes = [submit(look, read, table, batch, **_at(place)) for batch, place in batches]
        told = client.gather([submit(_describe, whole) for whole in wholes])
        for whole, shapes, (_, place) in zip(wholes, told, batches, strict=True):
            self.chunks += [
                HeldChunk(part, shape, submit(keep, whole, k, **_at(place)), place)
                for k, (part, shape) in enumerate(shapes)
            ]
        futures = [chunk.future for chunk in self.chunks]
        wait_for: Any = wait  # distributed's functions have no types
        with client.as_current():
            wait_for(futures)
        for future in futures:
            if future.status == "error":
                future.result()  # which raises it
        if self._engine.rebalance and not in_files:  # which memory has nothing of
            client.rebalance(futures, workers=self._workers)
            where = client.who_has(futures)
            self.chunks = [
                replace(chunk, worker=next(iter(where.get(chunk.future.key, ())), chunk.worker))
                for chunk in self.chunks
            ]

    @property
    def workers(self) -> list[str]:
        """That chunks were dealt out to; one may have got none."""
        return self._workers

    def all_there(self) -> bool:
        """True where no worker that has chunks was lost, nor any chunk."""
        return self._engine.workers.answer(list(self.at_each_worker())) and self.in_place()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Where the table is not persisted it is read inside, anew each time.

        All of it is read anew where a worker was lost: what Dask itself recomputes lies elsewhere.
        """
        if not self.in_place():
            self.hold_again()
        yield
        if self._engine.persist == "none":
            self.chunks.clear()

    def of(self, wanted: Container[int]) -> list[HeldChunk]:
        """Those of some parts."""
        return [chunk for chunk in self.chunks if chunk.part in wanted]

    def each(
        self, parts: Container[int], function: Callable[..., Any], *arguments: Any
    ) -> list[Any]:
        """Call `function(chunk, *arguments)` where each chunk is; the results in their order."""
        submit = self._engine.record.submit
        calls = [
            submit(function, chunk.future, *arguments, **_at(chunk.worker))
            for chunk in self.of(parts)
        ]
        return list(self._client.gather(calls))

    def rows(self, ask: PredictionRequest, scored_by: str) -> Chunk:
        """Gathered, by their order."""
        sampled = methodcaller(scored_by, ask.limit)
        with self.in_use():
            return Chunk.join(self.each(ask.parts, sampled)).in_order()

    def at_each_worker(self) -> dict[str, list[str]]:
        """The keys of the chunks that every worker has; one without any is left out."""
        found: dict[str, list[str]] = {}
        for chunk in self.chunks:
            found.setdefault(chunk.worker, []).append(chunk.future.key)
        return found

    def close(self) -> None:
        """Let go of them."""
        self.chunks.clear()
        self._engine.spill()


class DaskTrainer(Generic[F]):
    """What the trainers of Dask have in common; each adds `fit`."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest, kind: type[F]) -> None:
        """Hold nothing yet."""
        self.engine = engine
        self.request = request
        self.distributed_fit = distributed_fit_of(request.model, kind)
        self.partitions = DaskPartitions(engine)
        engine.record.profiler = request.profiler
        self.profiles()  # of a run that did not come to ask for them

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """In the workers' memory; beyond their limit Dask spills to their disks."""
        self.partitions.hold(table, shares, read, in_files=in_files)

    def rows(self, ask: PredictionRequest) -> Chunk:
        """Gathered, by their order."""
        return self.partitions.rows(ask, self.distributed_fit.scored_by)

    def profiles(self) -> list[bytes]:
        """From the workers that are there; no profile is worth a run."""
        profiler = self.request.profiler
        if profiler is None:
            return []
        told = self.engine.client.run(profiler.hand_over, on_error="ignore")
        return list(told.values())

    def close(self) -> None:
        """Let go of the chunks."""
        self.partitions.close()


def held_here(keys: Sequence[str]) -> list[Chunk]:
    """In a worker: what it holds, which one task may want more of than its memory could hold.

    The scheduler refuses such a task where it is told of them, also of those in files.
    """
    worker: Any = get_worker  # distributed's functions have no types
    data = worker().data
    return [data[key] for key in keys]


def _at(worker: str) -> dict[str, Any]:
    """For `Client.submit`; the scheduler takes another one where it is gone."""
    return {"workers": [worker], "allow_other_workers": True}


def _read(
    read: ReadChunks,
    table: PartitionedTable | MappedValue[PartitionedTable],
    batch: Sequence[Block],
) -> list[Chunk]:
    """In a worker: the chunks of a batch, of a table that is mapped or was scattered."""
    return read(table.view() if isinstance(table, MappedValue) else table, batch)


def _read_to_files(
    read: ReadChunks,
    table: PartitionedTable | MappedValue[PartitionedTable],
    batch: Sequence[Block],
) -> list[StoredChunk]:
    """The same, in files of the worker."""
    worker: Any = get_worker  # distributed's functions have no types
    folder = worker().local_directory
    return [chunk.stored(folder) for chunk in _read(read, table, batch)]


def _nth_in_files(chunks: Sequence[Chunk | StoredChunk], number: int) -> StoredChunk:
    """One that another worker has read arrives in memory."""
    chunk = chunks[number]
    worker: Any = get_worker  # distributed's functions have no types
    return chunk.stored(worker().local_directory) if isinstance(chunk, Chunk) else chunk


def _describe(chunks: Sequence[Chunk]) -> list[tuple[int, tuple[int, int]]]:
    return [(chunk.part, chunk.shape) for chunk in chunks]


def _nth(chunks: Sequence[Chunk], number: int) -> Chunk:
    return chunks[number]
