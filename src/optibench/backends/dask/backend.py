"""A LocalCluster of single-threaded worker processes, or the cluster at `backend.address`."""

from __future__ import annotations

import ssl
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from optibench.backends.common import worker_process
from optibench.backends.common.background_start import checkpoint
from optibench.backends.common.memory_mapping import MemoryMappedFiles
from optibench.backends.dask.engine import DaskEngine
from optibench.backends.dask.tls import TLSFiles, greet
from optibench.errors import ConfigError, EngineError
from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.records import EngineRequest

MEMORY_AND_DISK, MEMORY_ONLY, NONE = PERSIST = ("MEMORY_AND_DISK", "MEMORY_ONLY", "none")
NO_SPILLING = dict.fromkeys(
    ("distributed.worker.memory.target", "distributed.worker.memory.spill"), False
)
SETTINGS = {
    "distributed.worker.profile.enabled": False,  # on by default, costs about 10 %
    # A fit blocks the worker's event loop now and then; Dask need not warn about that.
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.tick.interval": "1s",  # 20 ms by default, in every process
    "distributed.worker.memory.monitor-interval": "500ms",
    # These two serve the dashboard and the placement of tasks, which are not used here; they run
    # in every process and cost 0.5 % of a search.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.work-stealing": False,
    # A worker that has nothing to spill would be paused for ever. The nanny still ends a worker
    # that exceeds its limit.
    "distributed.worker.memory.pause": False,
    # If the replacement of a lost worker is lost when this time-out of the first one expires,
    # distributed (2026.8) ends the nanny, and no further replacement starts.
    "distributed.deploy.lost-worker-timeout": "1000 days",
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
    tls: TLSFiles = field(default_factory=TLSFiles)
    persist: str = MEMORY_AND_DISK
    rebalance: bool = False
    memory_limit: str = "auto"
    keep_alive: bool = False

    def check(self, workers: int) -> None:
        """Refuse wrong settings, and an address without a server before Dask's long time-outs."""
        del workers
        if self.persist not in PERSIST:
            msg = f"backend.persist={self.persist!r}: allowed are {', '.join(PERSIST)}."
            raise ConfigError(msg)
        self._check_memory_limit()
        if self.address is None:
            self.tls.context("")
        else:
            self._check_address(self.address)

    @property
    def is_remote(self) -> bool:
        """True for the workers of a given cluster."""
        return self.address is not None

    @property
    def location(self) -> str | None:
        """The address of a given cluster."""
        return self.address

    def with_parallelism(self, parallelism: str) -> Self:
        """Return a copy with another `parallelism`."""
        return replace(self, parallelism=parallelism)

    def _check_address(self, address: str) -> None:
        parts, shown = urlsplit(address), redact(address)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if parts.scheme not in ("tcp", "tls", "ws", "wss") or host is None or port is None:
            msg = f"backend.address={shown!r}: allowed is tcp://host:port (or tls, ws, wss)."
            raise ConfigError(msg)
        context = self.tls.context(parts.scheme)
        try:
            greet((host, port), parts.scheme, context)
        except ssl.SSLError as error:
            msg = (
                f"backend.address={shown!r}: no encrypted connection with these certificates "
                f"({error.reason or error}). Set backend.tls.ca_file, cert and key to those of "
                "the cluster, or use a tcp:// address if it has no encryption."
            )
            raise ConfigError(msg) from error
        except OSError as error:
            msg = (
                f"backend.address={shown!r}: no scheduler answers there ({error}). Start "
                "one (dask scheduler), or leave the key out to start workers on this machine."
            )
            raise ConfigError(msg) from error

    def _check_memory_limit(self) -> None:
        from dask.utils import parse_bytes

        try:
            is_valid = self.memory_limit == "auto" or parse_bytes(self.memory_limit) > 0
        except ValueError:
            is_valid = False
        if not is_valid:
            msg = (
                f"backend.memory_limit={self.memory_limit!r}: allowed is each worker's memory "
                "such as 1GB, or auto for its share of this machine's."
            )
            raise ConfigError(msg)

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[DaskEngine]:
        """Start a LocalCluster or connect to `address`, warm the workers; close what it opened."""
        import dask
        from distributed import Client
        from distributed.scheduler import KilledWorker

        checkpoint()
        connect: Any = Client  # distributed's functions have no types
        environment = {
            "distributed.nanny.pre-spawn-environ": {
                **worker_process.thread_environment(request.threads),
                **worker_process.memory_environment(self.parallelism),
            }
        }
        location = redact(self.address) or "this machine"
        with ExitStack() as stack:
            spilling = NO_SPILLING if self.persist == MEMORY_ONLY else {}
            stack.enter_context(dask.config.set({**SETTINGS, **environment, **spilling}))
            try:
                target = self.address or stack.enter_context(
                    _local_cluster(request.workers, self.memory_limit)
                )
                checkpoint()
                client = stack.enter_context(
                    connect(target, set_as_default=False, security=self.tls.security())
                )
                files = stack.enter_context(MemoryMappedFiles()) if self.address is None else None
                engine = DaskEngine(client, request, files)
                stack.callback(engine.close)
                engine.persist, engine.rebalance = self.persist, self.rebalance
                checkpoint()
                engine.begin(request)
            except (OSError, TimeoutError) as error:
                msg = f"Dask could not be started or reached at {location}: {error}"
                raise EngineError(msg) from error
            try:
                yield engine
            except (KilledWorker, CancelledError) as error:
                cause = str(error) or "the shared data was lost with them"
                msg = (
                    f"Dask lost its workers ({cause}). Their last output is in the artifact logs/."
                )
                raise EngineError(msg) from error


def _local_cluster(workers: int, memory_limit: str) -> Any:
    from distributed import LocalCluster

    make: Any = LocalCluster  # distributed's functions have no types
    return make(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=memory_limit,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=50,
    )
