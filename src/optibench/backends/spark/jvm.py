"""Access to Spark's JVM: the only module that depends on private parts of PySpark and on py4j.

PySpark has no public call for what OptiBench asks of Spark here, so there is no public fallback.
With PySpark 4.3 this module depends on:

- `SparkContext._gateway`, `_jvm`, `_jsc` and `_active_spark_context`;
- `pyspark.java_gateway.launch_gateway(conf, popen_kwargs)`, whose gateway has the process `proc`;
- the exceptions of `py4j.protocol`;
- the methods of Spark's Scala classes that the functions below call, each documented there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable
    from typing import IO

    from pyspark import SparkConf, SparkContext

    JavaObject = Any  # py4j looks every attribute up in the JVM


class Gateway(Protocol):
    """PySpark's connection to a JVM."""

    @property
    def proc(self) -> subprocess.Popen[bytes] | None:
        """Return the JVM; None if another process has started it."""

    def shutdown(self) -> None:
        """Close the connection."""


class StageAttempt:
    """One attempt of a stage that has ended (Spark's `StageData`); values are read on demand."""

    def __init__(self, data: JavaObject) -> None:
        self._data = data

    @property
    def failed_tasks(self) -> int:
        """Return the number of its tasks that have failed."""
        return int(self._data.numFailedTasks())

    @property
    def executor_cpu_seconds(self) -> float:
        """Return the CPU time of the executors' Java threads that ran its tasks."""
        nanoseconds = self._data.executorCpuTime() + self._data.executorDeserializeCpuTime()
        return float(nanoseconds / 1e9)


def current_gateway() -> Gateway | None:
    """Return the gateway of this process, also after its context was stopped."""
    from pyspark import SparkContext

    gateway: Gateway | None = SparkContext._gateway
    return gateway


def launch_gateway(conf: SparkConf, log: IO[bytes]) -> Gateway:
    """Start a JVM.

    Args:
        conf: goes to the command line of the JVM, where everybody on this machine can read it.
        log: gets the output of the JVM and of its Python workers.
    """
    from pyspark import java_gateway

    launch: Any = java_gateway.launch_gateway  # has no types
    gateway: Gateway = launch(conf, {"stdout": log, "stderr": log})
    return gateway


def forget_gateway() -> None:
    """Make PySpark start a new JVM for the next context."""
    from pyspark import SparkContext

    SparkContext._gateway = SparkContext._jvm = None


def has_active_context() -> bool:
    """Return whether a SparkContext of this process has not been stopped."""
    from pyspark import SparkContext

    return SparkContext._active_spark_context is not None


def process() -> subprocess.Popen[bytes] | None:
    """Return the JVM that this process has started; None if there is none."""
    gateway = current_gateway()
    return None if gateway is None else gateway.proc


def spark_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that PySpark raises where Spark, its JVM or a task has failed."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return (Py4JError, PySparkException, ConnectionError)


def connection_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of calls to a JVM that is gone; other errors of it are among them."""
    from py4j.protocol import Py4JError

    return (Py4JError, ConnectionError)


def is_connection_error(error: Exception) -> bool:
    """Return whether an error is about the connection to the JVM, not about what it was asked."""
    from py4j.protocol import Py4JError, Py4JNetworkError

    return type(error) is Py4JError or isinstance(error, Py4JNetworkError | ConnectionError)


def is_stopped(context: SparkContext) -> bool:
    """Return whether Spark has stopped the context, as after the loss of its master."""
    return bool(_scala_context(context).isStopped())


def concurrent_tasks(context: SparkContext) -> int:
    """Return the number of tasks that the executors can run at the same time."""
    scala = _scala_context(context)
    profile = scala.resourceProfileManager().defaultResourceProfile()
    return int(scala.maxNumConcurrentTasks(profile))


def executor_count(context: SparkContext) -> int:
    """Return the number of executors; of a local session 0."""
    with_driver = _scala_context(context).getExecutorMemoryStatus().size()
    return int(with_driver) - 1


def next_job_id(context: SparkContext) -> int:
    """Return the number that the next job of the context will have."""
    return int(_scala_context(context).dagScheduler().numTotalJobs())


def stage_attempts(context: SparkContext, stages: Iterable[int]) -> list[list[StageAttempt]]:
    """Return the attempts of each stage, in order, as Spark's status store has them."""
    java: JavaObject = context._jvm
    gateway: JavaObject = context._gateway
    details = summaries = False
    arguments = (details, java.java.util.ArrayList(), summaries)
    no_quantiles = gateway.new_array(java.double, 0)
    store = _scala_context(context).statusStore()
    found = [store.stageData(stage, *arguments, no_quantiles) for stage in stages]
    return [[StageAttempt(stage.apply(i)) for i in range(stage.size())] for stage in found]


def event_log_folder(context: SparkContext) -> str:
    """Return the address of the folder with the event log, which must be enabled."""
    return str(_scala_context(context).eventLogDir().get())


def flush_events(context: SparkContext, milliseconds: int) -> None:
    """Wait until Spark's listeners, the event log included, have handled all events so far.

    Raises:
        Py4JJavaError: that took longer than `milliseconds`.
    """
    _scala_context(context).listenerBus().waitUntilEmpty(milliseconds)


def bytes_of_size(context: SparkContext, size: str) -> int:
    """Convert a size in Spark's notation, such as "1g", to bytes."""
    java: JavaObject = context._jvm
    return int(java.org.apache.spark.network.util.JavaUtils.byteStringAsBytes(size))


def java_version(context: SparkContext) -> str:
    """Return the version of the JVM."""
    java: JavaObject = context._jvm
    return str(java.java.lang.System.getProperty("java.version"))


def _scala_context(context: SparkContext) -> JavaObject:
    """Return Spark's own `org.apache.spark.SparkContext`."""
    return context._jsc.sc()
