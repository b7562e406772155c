"""A Spark session: the data is broadcast once, each batch is a job of one task."""

from __future__ import annotations

import re
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from optibench.backends.common import worker_process
from optibench.backends.common.memory_mapping import MemoryMappedFiles
from optibench.backends.spark import event_log
from optibench.backends.spark.engine import SparkEngine
from optibench.backends.spark.java import find_java_home
from optibench.backends.spark.session import spark_context, translated
from optibench.backends.spark.settings import SessionSettings, bytes_of, flatten, is_local
from optibench.errors import ConfigError, EngineError
from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.records import EngineRequest

CONNECT_SECONDS = 5.0
AUTO = "auto"
OTHER_KEYS = {
    "spark.master": "backend.master",
    "spark.task.cpus": "backend.threads_per_trial",
    "spark.authenticate": "backend.secret",
    "spark.authenticate.secret": "backend.secret",
    "spark.dynamicAllocation.enabled": "backend.workers",
}
PERSIST = ("MEMORY_AND_DISK", "MEMORY_ONLY", "DISK_ONLY", "none")
# In trials the JVM only passes tasks on: optimising its code costs more than it saves.
TRIAL_PROPERTIES = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
DATA_PROPERTIES = {
    # By default Java keeps the last 100 objects that it wrote: chunks of up to 32 MiB.
    "spark.serializer.objectStreamReset": "1",
    # Blocks are stored in the heap in pieces of this size. By default a piece has 1 MiB, which
    # with its header takes two regions of a heap below 2 GB (G1): twice what Spark accounts for.
    "spark.storage.unrollMemoryThreshold": str(256 * 2**10),
}

EXECUTOR_CPU_NOTE = (
    "cpu_seconds of K-means trials on all workers includes the executors' CPU time as Spark "
    "counts it: that of the Java threads of tasks, without Python workers, garbage collection "
    "and compilation"
)


@dataclass(frozen=True)
class SparkBackend:
    """The engine as configured (conf/backend/spark.yaml)."""

    name: str = "spark"
    workers: int | None = None
    threads_per_trial: int = 1
    parallelism: str = "trials"
    master: str | None = None
    persist: str = "MEMORY_AND_DISK"
    memory_limit: str = "auto"
    secret: str | None = field(default=None, repr=False)
    conf: dict[str, Any] = field(default_factory=dict)
    keep_alive: bool = False

    @property
    def is_remote(self) -> bool:
        """True for the workers of a given master."""
        return not is_local(self.master)

    @property
    def location(self) -> str | None:
        """The URL of a given master."""
        return self.master

    def with_parallelism(self, parallelism: str) -> Self:
        """Return a copy with another `parallelism`."""
        return replace(self, parallelism=parallelism)

    def check(self, workers: int) -> None:
        """Refuse a missing Java, a master that does not answer, and more slots than workers."""
        try:
            find_java_home()
        except EngineError as error:
            raise ConfigError(str(error)) from error
        reserved = sorted(OTHER_KEYS.keys() & flatten(self.conf).keys())
        if reserved:
            key = reserved[0]
            msg = f"backend.conf.{key} is set by OptiBench; use {OTHER_KEYS[key]}."
            raise ConfigError(msg)
        if self.persist not in PERSIST:
            msg = f"backend.persist={self.persist!r}: allowed are {', '.join(PERSIST)}."
            raise ConfigError(msg)
        if self.memory_limit != AUTO and bytes_of(self.memory_limit) == 0:
            msg = (
                f"backend.memory_limit={self.memory_limit!r}: allowed is each worker's memory, "
                "such as 1g or 600m (of 1024 x 1024 bytes), or auto for what Spark gives it."
            )
            raise ConfigError(msg)
        if self.is_remote:
            self._check_remote()
        elif self.master is not None:
            self._check_local(workers)

    def _check_local(self, workers: int) -> None:
        cores = workers * self.threads_per_trial
        match = re.fullmatch(r"local\[(\d+)(,\s*\d+)?\]", self.master or "")
        if match is None or int(match[1]) != cores:
            factor = "" if self.threads_per_trial == 1 else " x backend.threads_per_trial"
            msg = (
                f"backend.master={self.master!r}: a local master has as many slots as workers; "
                f"allowed is local[{cores}] or local[{cores},retries] (in quotes: "
                f"'backend.master=\"local[{cores}]\"'), or null. The number is "
                f"backend.workers{factor}."
            )
            raise ConfigError(msg)

    def _check_remote(self) -> None:
        shown = redact(self.master)
        parts = urlsplit(self.master or "")
        try:
            address = (parts.hostname, parts.port)
        except ValueError:
            address = (None, None)
        if parts.scheme != "spark" or None in address:
            msg = f"backend.master={shown!r}: allowed is spark://host:port or local[N]."
            raise ConfigError(msg)
        try:
            socket.create_connection(address, timeout=CONNECT_SECONDS).close()
        except OSError as error:
            msg = (
                f"backend.master={shown!r}: no master answers there ({error}). Start a Spark "
                "master, or leave the key out to run on this machine."
            )
            raise ConfigError(msg) from error

    @property
    def _properties(self) -> dict[str, Any]:
        """The properties of `conf`, on top of those that suit the parallelism."""
        suitable = TRIAL_PROPERTIES if self.parallelism == "trials" else DATA_PROPERTIES
        return {**suitable, **flatten(self.conf)}

    @property
    def _notes(self) -> tuple[str, ...]:
        return () if self.parallelism == "trials" else (EXECUTOR_CPU_NOTE,)

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[SparkEngine]:
        """Start a session and its Python workers, and stop everything at the end, the JVM too."""
        with ExitStack() as stack:
            properties = self._properties
            if self.parallelism != "trials":
                events = tempfile.TemporaryDirectory(prefix="optibench-events-")
                properties = event_log.settings(stack.enter_context(events)) | properties
            extra = worker_process.memory_environment(self.parallelism)
            settings = SessionSettings.make(self.master, properties, self.secret, request, extra)
            context = stack.enter_context(spark_context(settings, request.logs))
            files = None if settings.remote else stack.enter_context(MemoryMappedFiles())
            with translated("A Spark job failed"):
                engine = stack.enter_context(SparkEngine(context, request, files, self.persist))
                engine.memory_limit = bytes_of(self.memory_limit)
                engine.notes = self._notes if settings.remote else ()
                engine.begin(request)
                yield engine
