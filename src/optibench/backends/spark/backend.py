"""A Spark session: the data is broadcast once, each batch is a job of one task."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import optibench
from optibench.backends import worker_process
from optibench.backends.spark.java import find_java_home
from optibench.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from optibench.contracts import WorkerTask
    from optibench.records import Batch, BatchOutcome, EngineRequest

CONNECT_SECONDS = 5.0
TRIES_PER_TASK = 4  # local[n] alone retries nothing
PROPERTIES = {
    "spark.app.name": "optibench",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.python.worker.reuse": "true",  # a new worker imports everything again
    "spark.log.level": "ERROR",
    # Over TCP a Python task waits for a delayed acknowledgement: 72 ms, 28 ms this way.
    # In trials the JVM only hands tasks on: compiling that well costs more than it saves.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.python.unix.domain.socket.enabled": "true",
}


@dataclass(frozen=True)
class SparkBackend:
    """The engine as configured (conf/backend/spark.yaml)."""

    name: str = "spark"
    workers: int | None = None
    threads_per_trial: int = 1
    parallelism: str = "trials"
    master: str | None = None
    conf: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse a master that nobody answers at, and a missing Java."""
        find_java_home()
        if self.master is None or self.master.startswith("local"):
            return
        parts = urlsplit(self.master)
        try:
            place = (parts.hostname, parts.port)
        except ValueError:
            place = (None, None)
        if parts.scheme != "spark" or None in place:
            msg = f"backend.master={self.master!r}: allowed is spark://host:port or local[N]."
            raise ConfigError(msg)
        try:
            socket.create_connection(place, timeout=CONNECT_SECONDS).close()
        except OSError as error:
            msg = (
                f"backend.master={self.master!r}: nobody answers there ({error}). Start a Spark "
                "master, or leave the key out to run on this machine."
            )
            raise ConfigError(msg) from error

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[SparkEngine]:
        """Start a session and its Python workers, and stop all of it, the JVM too."""
        with ExitStack() as stack:
            context = stack.enter_context(_spark_context(self, request))
            with _translated("A Spark job failed"):
                engine = stack.enter_context(SparkEngine(context, request))
                engine.warm(request)
                yield engine


@contextmanager
def _spark_context(backend: SparkBackend, request: EngineRequest) -> Iterator[Any]:
    from pyspark import SparkConf, SparkContext

    master = backend.master or f"local[{request.workers},{TRIES_PER_TASK}]"
    settings = {**PROPERTIES, "spark.task.cpus": "1", **_flatten(backend.conf)}
    conf = SparkConf().setMaster(master).setAll(list(settings.items()))
    for variable, value in worker_process.thread_environment(request.threads).items():
        conf.setExecutorEnv(variable, value)
    # Workers find this package where the driver has it, also where that is a relative PYTHONPATH.
    conf.setExecutorEnv("PYTHONPATH", str(Path(optibench.__file__).resolve().parents[1]))
    os.environ["JAVA_HOME"] = str(find_java_home().path)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if SparkContext._active_spark_context is not None:
        msg = (
            "A SparkContext is already active in this process; "
            "stop it before a benchmark on Spark."
        )
        raise EngineError(msg)
    try:
        with _output_to(request.logs / "spark.log"):  # inherited by the JVM and its Python workers
            context = SparkContext(conf=conf)
    except Exception as error:
        msg = f"Spark could not be started on {master}: {str(error).splitlines()[0]}"
        raise EngineError(msg) from error
    try:
        yield context
    finally:
        _stop(context)


def _stop(context: Any) -> None:
    """Stop the session and end the JVM, which PySpark would keep until this process exits."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    context.stop()
    if gateway is not None:
        gateway.shutdown()
        process = gateway.proc
        process.stdin.close()  # the JVM ends when its standard input does
        try:
            process.wait(timeout=10)
        except Exception:
            process.kill()
            process.wait()
    SparkContext._gateway = None
    SparkContext._jvm = None


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Point this process's standard output and error at a file while a child is started."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(file)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{spark: {driver: {memory: 4g}}}` as Spark's dotted properties."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn errors of Spark into ours while the JVM is there to tell their text."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        msg = f"{what}: {_cause(str(error))}"
        raise EngineError(msg) from error


def _cause(text: str) -> str:
    """The telling line of Spark's message: Python's error if there is one, else the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Exit)(: |$)", line)]
    python = [line for line in own if not line.startswith(("org.", "java.", "py4j."))]
    return (python or own or lines)[-1 if python else 0][:500]


class SparkEngine:
    """A running session. One thread of the driver waits for each job in flight."""

    overhead_seconds = 0.02

    def __init__(self, context: Any, request: EngineRequest) -> None:
        """Run at most `request.workers` tasks at a time on `context`."""
        self._context = context
        self._one = context.parallelize([0], 1)
        self._waiters = ThreadPoolExecutor(2 * request.workers, thread_name_prefix="spark-job")
        self.slots = request.workers

    def __enter__(self) -> SparkEngine:
        """Nothing more to start."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Give up the jobs that nobody waits for any more."""
        if any(exception):
            self._context.cancelAllJobs()
        self._waiters.shutdown(wait=True, cancel_futures=True)

    def warm(self, request: EngineRequest) -> None:
        """Start every Python worker: each task blocks until all have begun."""
        import tempfile

        modules, slots = request.modules, self.slots
        with tempfile.TemporaryDirectory(prefix="optibench-meet-") as folder:

            def start(rows: Any) -> list[int]:
                list(rows)
                worker_process.load(modules)
                return [worker_process.meet(folder, slots)]

            self._context.parallelize(range(slots), slots).mapPartitions(start).collect()

    def share(self, value: Any) -> Any:
        """Broadcast `value`."""
        return self._context.broadcast(value)

    def submit(self, task: WorkerTask, shared: Any, batch: Batch) -> Future[BatchOutcome]:
        """Run one batch as a job of one task."""

        def run(rows: Any) -> list[BatchOutcome]:
            list(rows)  # a worker that leaves input unread is not used again
            return [task(shared.value, batch)]

        return self._waiters.submit(self._collect, run)

    def _collect(self, run: Any) -> BatchOutcome:
        with _translated("A Spark job failed"):
            outcome: BatchOutcome = self._one.mapPartitions(run).collect()[0]
            return outcome

    def versions(self) -> Mapping[str, str]:
        """Versions of Spark and of its Java."""
        java = self._context._jvm.java.lang.System.getProperty("java.version")
        return {"pyspark": str(self._context.version), "java": str(java)}
