"""A LocalCluster of single-threaded worker processes, or the cluster at `backend.address`."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from optibench.backends import mapped, worker_process
from optibench.backends.mapped import MappedFiles
from optibench.backends.shield import checkpoint
from optibench.errors import ConfigError, EngineError
from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from optibench.contracts import WorkerTask
    from optibench.records import Batch, BatchOutcome, EngineRequest

CONNECT_SECONDS = 5.0
ELSEWHERE = (
    "CPU and memory of the workers at backend.address are not in the resource metrics: they are "
    "no children of this process"
)
SETTINGS = {
    "distributed.worker.profile.enabled": False,  # on by default, costs about 10 %
    # A fit holds the worker's event loop now and then: no news.
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.tick.interval": "1s",  # 20 ms by default, in every process
    "distributed.worker.memory.monitor-interval": "500ms",
    # Both run in every process, for pages that nobody looks at and for tasks that have their
    # worker: 0.5 % of a search.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.work-stealing": False,
    "distributed.comm.timeouts.connect": "30s",
    "distributed.logging.distributed": "error",
}


@dataclass(frozen=True)
class DaskBackend:
    """The engine as configured (conf/backend/dask.yaml)."""

    name: str = "dask"
    workers: int | None = None
    threads_per_trial: int = 1
    parallelism: str = "trials"
    address: str | None = None
    keep_alive: bool = False

    def check(self, workers: int) -> None:
        """Refuse an address that nobody answers at, before the engine's long time-outs."""
        del workers
        if self.address is None:
            return
        parts = urlsplit(self.address)
        try:
            place = (parts.hostname, parts.port)
        except ValueError:
            place = (None, None)
        if parts.scheme not in ("tcp", "tls", "ws", "wss") or None in place:
            told = redact(self.address)
            msg = f"backend.address={told!r}: allowed is tcp://host:port (or tls, ws, wss)."
            raise ConfigError(msg)
        try:
            socket.create_connection(place, timeout=CONNECT_SECONDS).close()
        except OSError as error:
            msg = (
                f"backend.address={redact(self.address)!r}: nobody answers there ({error}). "
                "Start a "
                "scheduler (dask scheduler), or leave the key out to have workers started on this "
                "machine."
            )
            raise ConfigError(msg) from error

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[DaskEngine]:
        """Start a LocalCluster or connect to `address`, warm the workers; close what it opened."""
        import dask
        from distributed import Client
        from distributed.scheduler import KilledWorker

        checkpoint()
        connect: Any = Client  # distributed's functions have no types
        environment = {
            "distributed.nanny.pre-spawn-environ": worker_process.thread_environment(
                request.threads
            )
        }
        place = redact(self.address) or "this machine"
        with ExitStack() as stack:
            stack.enter_context(dask.config.set({**SETTINGS, **environment}))
            try:
                target = self.address or stack.enter_context(_local_cluster(request.workers))
                checkpoint()
                client = stack.enter_context(connect(target, set_as_default=False))
                files = stack.enter_context(MappedFiles()) if self.address is None else None
                engine = DaskEngine(client, request, files)
                engine.notes = () if self.address is None else (ELSEWHERE,)
                engine.begin(request)
            except (OSError, TimeoutError) as error:
                msg = f"Dask could not be started or reached at {place}: {error}"
                raise EngineError(msg) from error
            try:
                yield engine
            except (KilledWorker, CancelledError) as error:
                why = str(error) or "the shared data went with them"
                msg = f"Dask lost its workers ({why}). Their last words are in the artifact logs/."
                raise EngineError(msg) from error


def _local_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    make: Any = LocalCluster  # distributed's functions have no types
    return make(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )


@dataclass(frozen=True, eq=False)
class Scattered:
    """A value at the workers of a given cluster, and here."""

    future: Any
    value: Any


class DaskEngine:
    """A connected client and the workers that it uses."""

    overhead_seconds = 0.005
    notes: tuple[str, ...] = ()

    def __init__(self, client: Any, request: EngineRequest, files: MappedFiles | None) -> None:
        """Use at most `request.workers` of the cluster's workers.

        `files`: for shared data where the workers are on this machine; None: scatter.
        """
        self._client = client
        self._files = files
        client.wait_for_workers(1, timeout=30)
        found = client.scheduler_info(n_workers=-1)["workers"]
        single = sorted(name for name, worker in found.items() if worker["nthreads"] == 1)
        if len(single) < request.workers:
            msg = (
                f"The Dask cluster has {len(single)} workers with one thread (of {len(found)}), "
                f"fewer than the {request.workers} asked for: start them with "
                f"`dask worker --nworkers {request.workers} --nthreads 1`, or lower "
                "backend.workers. Trials in threads of one process cannot be measured apart."
            )
            raise EngineError(msg)
        self._workers = single[: request.workers]
        self._executors = {
            worker: client.get_executor(pure=False, workers=[worker], allow_other_workers=True)
            for worker in self._workers
        }
        self._counting = threading.Lock()  # futures end in a thread of the client's
        self._queued = Counter(dict.fromkeys(self._workers, 0))
        self.slots = len(self._workers)

    def begin(self, request: EngineRequest) -> None:
        """Import what a trial needs on every worker; our own workers also print to our log."""
        if self._files is None:
            self.warm(request.modules)
            return
        from optibench.backends.dask.placement import AnyWorkerWillDo

        self._client.register_plugin(AnyWorkerWillDo())
        arguments: tuple[Any, ...] = (str(request.logs), request.modules)
        self._client.run(worker_process.begin, *arguments, workers=self._workers)

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` on every worker."""
        self._client.run(worker_process.load, modules, workers=self._workers)

    def forget(self) -> None:
        """Remove the file that was shared; what was scattered goes with its handle."""
        if self._files is not None:
            self._files.clear()
            self._client.run(mapped.let_go, workers=self._workers)

    def share(self, value: Any) -> Any:
        """Map `value` from one file, or scatter it to every worker of a given cluster."""
        if self._files is not None:
            return self._files.write(value)
        future = self._client.scatter(value, broadcast=True, hash=False, workers=self._workers)
        return Scattered(future, value)

    def view(self, shared: Any) -> Any:
        """Map the file here, too; what was scattered stays as it was."""
        return shared.value if isinstance(shared, Scattered) else mapped.view(shared)

    def submit(self, task: WorkerTask, shared: Any, batch: Batch) -> Future[BatchOutcome]:
        """Queue one batch at the worker with the fewest.

        Left to itself the scheduler, which cannot know how long a batch takes, now and then lets
        one worker wait while two batches are queued at the other.
        """
        with self._counting:
            worker, _ = min(self._queued.items(), key=itemgetter(1))
            self._queued[worker] += 1
        executor = self._executors[worker]
        future: Future[BatchOutcome] = (
            executor.submit(task, shared.future, batch)
            if isinstance(shared, Scattered)
            else executor.submit(mapped.run_on_mapped, task, shared, batch)
        )
        future.add_done_callback(lambda _: self._landed(worker))
        return future

    def _landed(self, worker: str) -> None:
        with self._counting:
            self._queued[worker] -= 1

    def versions(self) -> Mapping[str, str]:
        """Versions of dask and distributed."""
        from importlib.metadata import version

        return {name: version(name) for name in ("dask", "distributed")}
