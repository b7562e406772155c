"""A Spark session from its start to the end of its JVM."""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from optibench.backends.common.background_start import StartAbandoned, checkpoint
from optibench.backends.spark.java import find_java_home
from optibench.backends.spark.master import await_slots, refusals_end
from optibench.errors import BenchmarkError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optibench.backends.spark.settings import SessionSettings

FIRST_SECONDS = 1.0  # after any error: its end may be what the error is about
LAST_SECONDS = 5.0  # for a JVM that answers no more to end


@contextmanager
def spark_context(settings: SessionSettings, logs: Path) -> Iterator[Any]:
    """Start a SparkContext with all its slots, and stop it with its JVM.

    Raises:
        EngineError: it cannot be started, or the master gives it too few slots.
    """
    from pyspark import SparkContext

    _prepare_process(settings)
    checkpoint()
    gateway = SparkContext._gateway  # of a context that the user has had and stopped
    log = logs / "spark.log"
    try:
        gateway = gateway or _launched(settings, log)
        checkpoint()
        context = _connected(settings, gateway, log)
    except BaseException as error:
        _end(gateway)
        if not isinstance(error, Exception) or isinstance(error, EngineError | StartAbandoned):
            raise
        msg = f"Spark could not be started on {settings.master}: {str(error).splitlines()[0]}"
        raise EngineError(msg) from error
    try:
        checkpoint()
        with translated("Spark's master was lost"):
            await_slots(context, settings)
        yield context
    finally:
        try:
            context.stop()
        except OSError:  # the JVM is gone; the second time PySpark knows it, and tidies up here
            context.stop()
        finally:
            _end(gateway)


def _prepare_process(settings: SessionSettings) -> None:
    """What PySpark reads from this process; a second context in it is refused."""
    from pyspark import SparkContext

    os.environ["JAVA_HOME"] = str(find_java_home().path)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = settings.python
    if SparkContext._active_spark_context is not None:
        msg = (
            "A SparkContext is already active in this process; "
            "stop it before a benchmark on Spark."
        )
        raise EngineError(msg)
    # PySpark imports pandas for its DataFrames, not used here. No `catch_warnings`: other threads
    # are running.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def _launched(settings: SessionSettings, log: Path) -> Any:
    """Start the JVM; PySpark writes what it is told here on its command line."""
    from pyspark.java_gateway import launch_gateway

    launch: Any = launch_gateway  # it has no types
    with log.open("ab") as file:  # also of the JVM's Python workers
        return launch(_conf(settings), {"stdout": file, "stderr": file})


def _connected(settings: SessionSettings, gateway: Any, log: Path) -> Any:
    """Connect to the master; secrets are told the JVM by PySpark's own, protected connection."""
    from pyspark import SparkContext

    conf = _conf(settings).setAll(list(settings.hidden.items()))
    with refusals_end(gateway.proc, log, settings.master):
        return SparkContext(conf=conf, gateway=gateway)


def _conf(settings: SessionSettings) -> Any:
    from pyspark import SparkConf

    conf = SparkConf().setMaster(settings.master).setAll(list(settings.shown.items()))
    for variable, value in settings.environment.items():
        conf.setExecutorEnv(variable, value)
    return conf


def _end(gateway: Any) -> None:
    """End the JVM, which PySpark would keep until this process exits."""
    from pyspark import SparkContext

    SparkContext._gateway = SparkContext._jvm = None
    if gateway is None:
        return
    with suppress(Exception):  # the JVM may be gone
        gateway.shutdown()
    process = gateway.proc
    process.stdin.close()  # the JVM ends when its standard input does
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def translated(what: str, otherwise: type[BenchmarkError] = EngineError) -> Iterator[None]:
    """Turn errors of Spark into ours while the JVM is there to tell their text.

    Raises:
        EngineError: the JVM has ended.
        otherwise: any other error of Spark.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    of_spark = (Py4JError, PySparkException, ConnectionError)
    try:
        yield
    except (*of_spark, UnboundLocalError) as error:
        # PySpark closes a connection that did not come up: the error of that is the context.
        own = error.__context__ if isinstance(error, UnboundLocalError) else error
        if not isinstance(own, of_spark):
            raise
        ended = _end_of_jvm() if _has_lost_it(own) else None
        if ended is None and isinstance(own, ConnectionError):
            raise  # nothing of Spark's
        kind = EngineError if ended else otherwise
        msg = f"{what}: {ended or _cause(str(own))}"
        raise kind(msg) from own


@contextmanager
def answering() -> Iterator[None]:
    """Do what can be left undone where the JVM is gone."""
    from py4j.protocol import Py4JError

    with suppress(Py4JError, ConnectionError):
        yield


def _has_lost_it(error: Exception) -> bool:
    """The JVM does not answer, or not with what its error was."""
    from py4j.protocol import Py4JError, Py4JNetworkError

    try:
        str(error)
    except Exception:
        return True
    if type(error) is Py4JError or isinstance(error, Py4JNetworkError | ConnectionError):
        return True
    return _jvm_has_ended(FIRST_SECONDS)


def _end_of_jvm() -> str | None:
    """How it ended, in a sentence; None while it goes on."""
    if not _jvm_has_ended(LAST_SECONDS):
        return None
    return (
        f"Spark's JVM has ended (exit code {_jvm().returncode}); its last words are in the "
        "artifact logs/. Where it was out of memory, raise backend.conf.spark.driver.memory."
    )


def _jvm_has_ended(patience_seconds: float) -> bool:
    process = _jvm()
    if process is None:
        return False
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_seconds)
    return process.returncode is not None


def _jvm() -> Any:
    """The process that PySpark has started."""
    from pyspark import SparkContext

    return getattr(SparkContext._gateway, "proc", None)


def _cause(text: str) -> str:
    """The telling line of Spark's message: Python's error if there is one, else the first line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Exit)(: |$)", line)]
    python = [line for line in own if not line.startswith(("org.", "java.", "py4j."))]
    return (python or own or lines)[-1 if python else 0][:500]
