"""A connected Dask client as an engine: one executor per worker."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from optibench.backends.common import compatibility, memory_mapping, worker_process
from optibench.backends.common.retry_counter import RetryCounter
from optibench.backends.dask.memory import NEVER, spill_beyond
from optibench.backends.dask.scattered_value import ScatteredValue
from optibench.backends.dask.task_metrics import DaskTaskMetrics
from optibench.backends.dask.worker_losses import WorkerLosses
from optibench.backends.dask.workers import DaskWorkers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from optibench.backends.common.memory_mapping import MemoryMappedFiles
    from optibench.backends.dask.memory import Limits
    from optibench.contracts import (
        DataParallelTraining,
        EngineReuse,
        EngineTaskMetrics,
        RemoteWorkers,
        SharedValue,
        Trainer,
        TrainerRequest,
        WorkerTask,
    )
    from optibench.records import EngineRequest

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")


class DaskEngine:
    """A connected client and the workers that it uses."""

    overhead_seconds = 0.005
    notes: tuple[str, ...] = ()
    persist: str = "MEMORY_AND_DISK"
    rebalance: bool = False
    root_name = "worker"
    unmeasured_processes = "the scheduler and the workers' nannies"
    workers_outlive_run = True
    before_batch: Callable[[], object] | None = None

    def __init__(
        self, client: Any, request: EngineRequest, files: MemoryMappedFiles | None
    ) -> None:
        """Use at most `request.workers` of the cluster's workers.

        `files`: for shared data if the workers are on this machine; None: scatter.
        """
        self.client = client
        self._files = files
        self._lock = threading.Lock()  # callbacks of futures run in a thread of the client
        self._shipped: set[str] = set()
        self.clock_offsets: Mapping[str, float] = {}
        self.metrics = DaskTaskMetrics(client)  # submits the tasks of fits on all workers
        self.retries = RetryCounter()
        self.losses = WorkerLosses(client, self.retries)
        self.workers = DaskWorkers(client, request.workers, self.losses)
        self._spill_limits: dict[str, Limits] = {}
        self.slots = request.workers
        self._memory_bytes = request.memory_bytes
        self._use(self.workers.first)

    def _use(self, workers: Sequence[str]) -> None:
        self._in_use = workers
        self._executors = {
            worker: self.client.get_executor(
                pure=False, workers=[worker], allow_other_workers=True
            )
            for worker in workers
        }
        self._queued = Counter(dict.fromkeys(workers, 0))

    @property
    def reuse(self) -> EngineReuse:
        """This engine itself."""
        return self

    @property
    def remote(self) -> RemoteWorkers | None:
        """This engine itself if it uses a given cluster."""
        return self if self._files is None else None

    @property
    def data_parallel(self) -> DataParallelTraining:
        """This engine itself."""
        return self

    @property
    def worker_root(self) -> Callable[[], int]:
        """A function that returns the pid of the worker, which is a process of its own."""
        return os.getpid

    @property
    def units_run_again(self) -> int:
        """Units of lost batches, and fits on all workers that were retried."""
        return self.retries.count

    def begin(self, request: EngineRequest) -> None:
        """Prepare the workers; started workers also write to the run's logs."""
        if self._files is None:
            from optibench.backends.dask.code_shipping import check_software

            check_software(self.client)
            self.warm(request.modules)
            self._compare_clocks()
            return
        from optibench.backends.dask.placement import RelaxedPlacement
        from optibench.backends.dask.worker_setup import WorkerSetup

        self.client.register_plugin(RelaxedPlacement())
        self.client.register_plugin(WorkerSetup(str(request.logs), request.modules))

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` on every worker, replacements of lost workers included.

        Remote workers get their code first.
        """
        self._use(self.workers.live())
        if self._files is None:
            from optibench.backends.dask.code_shipping import ship_code

            self._shipped |= ship_code(self.client, modules, self._shipped)
            names = compatibility.compared_packages(modules)
            infos = self.client.run(compatibility.describe, names, workers=self._in_use)
            compatibility.check_versions(infos.values(), names)
        self.client.run(worker_process.load, modules, workers=self._in_use)

    def _compare_clocks(self) -> None:
        before = time.time()
        infos = self.client.run(compatibility.describe, (), workers=self._in_use)
        self.clock_offsets = compatibility.clock_offsets(infos.values(), before, time.time())
        self.notes += compatibility.clock_notes(self.clock_offsets)

    def run_on_all_workers(self, function: Callable[..., R], *arguments: object) -> list[R]:
        """Call a function in every worker in use; once one of them was lost, in all workers."""
        known = self.workers.known()
        workers = self._in_use if known.issuperset(self._in_use) else sorted(known)
        return list(self.client.run(function, *arguments, workers=workers).values())

    def forget(self) -> None:
        """Remove the shared files; scattered values are freed with their handles."""
        if self._files is not None:
            self._files.clear()
            self.client.run(memory_mapping.release_mapped, workers=self.workers.live())

    def disable_spilling(self, workers: Iterable[str]) -> None:
        """Keep some workers from spilling until `enable_spilling` or the end.

        Chunks that are stored in files would be read to be spilled, and free no memory.
        """
        new = [worker for worker in workers if worker not in self._spill_limits]
        self._spill_limits |= self.client.run(spill_beyond, NEVER, workers=new) if new else {}

    def enable_spilling(self) -> None:
        """Restore the spilling of all workers."""
        while self._spill_limits:
            worker, limits = self._spill_limits.popitem()
            if worker in self.workers.known():
                self.client.run(spill_beyond, limits, workers=[worker], on_error="ignore")

    def close(self) -> None:
        """Restore a given cluster, if it still answers."""
        if self._files is None:
            with suppress(OSError):
                self.enable_spilling()
        self.losses.close()

    def share(self, value: V) -> SharedValue[V]:
        """Map `value` from one file, or scatter it to every worker of a given cluster."""
        if self._files is not None:
            return self._files.write(value)
        return self.scatter(value)

    def scatter(self, value: V) -> ScatteredValue[V]:
        """Send a value to every worker of a given cluster."""
        workers = self.workers.live()
        future = self.client.scatter(value, broadcast=True, hash=False, workers=workers)
        return ScatteredValue(future, value)

    def submit(self, task: WorkerTask[V, B, R], shared: SharedValue[V], batch: B) -> Future[R]:
        """Queue one batch at the worker with the fewest batches.

        The scheduler does not know how long a batch takes; if it placed batches itself, one worker
        would sometimes wait while two batches are queued at another.
        """
        if self.losses.workers < self.slots:
            self.workers.known()  # which makes the losses listen to replacements
        with self._lock:
            worker, _ = min(self._queued.items(), key=itemgetter(1))
            self._queued[worker] += 1
        executor, key = self._executors[worker], f"batch-{uuid4().hex}"
        self.losses.watch(key, batch)
        settings = compatibility.RemoteBatchSettings(self.clock_offsets, self.before_batch)
        future: Future[R] = (
            executor.submit(
                compatibility.run_remote_batch, task, shared.future, batch, settings, key=key
            )
            if isinstance(shared, ScatteredValue)
            else executor.submit(memory_mapping.run_on_mapped, task, shared, batch, key=key)
        )
        future.add_done_callback(lambda _: self._batch_done(worker, key))
        return future

    def _batch_done(self, worker: str, key: str) -> None:
        self.losses.unwatch(key)
        with self._lock:
            self._queued[worker] -= 1

    def trainer(self, request: TrainerRequest) -> Trainer:
        """Make the trainer of the requested model."""
        trainers = importlib.import_module(f"optibench.backends.dask.{request.model.name}")
        make: Callable[[DaskEngine, TrainerRequest], Trainer] = trainers.TRAINER
        return make(self, request)

    def task_metrics(self) -> EngineTaskMetrics:
        """Record metrics from the scheduler, in place of those of an earlier run."""
        self.metrics = DaskTaskMetrics(self.client)
        self.metrics.start()
        return self.metrics

    @property
    def worker_memory_bytes(self) -> int:
        """The lowest memory limit of the workers, else a worker's share of this machine."""
        limits = self.workers.memory_limits(self.workers.live())
        return int(min(limits, default=self._memory_bytes // self.slots))

    @property
    def driver_address(self) -> str:
        """The address of this machine that the workers can reach."""
        from distributed import utils

        find: Any = utils.get_ip  # distributed's functions have no types
        host = urlsplit(self.client.scheduler.address).hostname
        return "127.0.0.1" if host in ("127.0.0.1", "localhost") else str(find(host))

    def versions(self) -> Mapping[str, str]:
        """Return the versions of dask and distributed."""
        from importlib.metadata import version

        return {name: version(name) for name in ("dask", "distributed")}
