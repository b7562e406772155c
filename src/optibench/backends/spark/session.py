"""A Spark session from its start to the end of its JVM."""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from optibench.backends.common.background_start import StartAbandoned, checkpoint
from optibench.backends.spark import jvm
from optibench.backends.spark.java import find_java_home
from optibench.backends.spark.master import await_slots, end_on_refusal
from optibench.errors import BenchmarkError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark import SparkConf, SparkContext

    from optibench.backends.spark.jvm import Gateway
    from optibench.backends.spark.settings import SessionSettings

FIRST_WAIT_SECONDS = 1.0  # after any error, because the end of the JVM may be its cause
LAST_WAIT_SECONDS = 5.0  # until a JVM that does not answer has ended


@contextmanager
def spark_context(settings: SessionSettings, logs: Path) -> Iterator[SparkContext]:
    """Start a SparkContext with all its slots, and stop it with its JVM.

    Raises:
        EngineError: it cannot be started, or the master gives it too few slots.
    """
    _prepare_process(settings)
    checkpoint()
    gateway = jvm.current_gateway()  # left by a context of the user that was stopped
    log = logs / "spark.log"
    try:
        gateway = gateway or _launch_jvm(settings, log)
        checkpoint()
        context = _connect(settings, gateway, log)
    except BaseException as error:
        _end_jvm(gateway)
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
        except OSError:  # the JVM is gone; PySpark notices it now, and cleans up in a second call
            context.stop()
        finally:
            _end_jvm(gateway)


def _prepare_process(settings: SessionSettings) -> None:
    """Set what PySpark reads from this process; refuse a second context in it."""
    os.environ["JAVA_HOME"] = str(find_java_home().path)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = settings.python
    if jvm.has_active_context():
        msg = (
            "A SparkContext is already active in this process; "
            "stop it before you start a benchmark on Spark."
        )
        raise EngineError(msg)
    # PySpark imports pandas for pandas DataFrames, which are not used here. Other threads are
    # running, so that `catch_warnings` would not be safe.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)


def _launch_jvm(settings: SessionSettings, log: Path) -> Gateway:
    """Start the JVM; its command line shows these properties, which therefore have no secrets."""
    with log.open("ab") as file:  # also receives the output of the JVM's Python workers
        return jvm.launch_gateway(_conf(settings), file)


def _connect(settings: SessionSettings, gateway: Gateway, log: Path) -> SparkContext:
    """Connect to the master; PySpark sends secrets to the JVM over its protected connection."""
    from pyspark import SparkContext

    conf = _conf(settings).setAll(list(settings.hidden.items()))
    with end_on_refusal(gateway.proc, log, settings.master):
        return SparkContext(conf=conf, gateway=gateway)


def _conf(settings: SessionSettings) -> SparkConf:
    from pyspark import SparkConf

    conf = SparkConf().setMaster(settings.master).setAll(list(settings.shown.items()))
    for variable, value in settings.environment.items():
        conf.setExecutorEnv(variable, value)
    return conf


def _end_jvm(gateway: Gateway | None) -> None:
    """End the JVM, which PySpark would keep until this process exits."""
    jvm.forget_gateway()
    if gateway is None:
        return
    with suppress(Exception):  # the JVM may be gone
        gateway.shutdown()
    process = gateway.proc
    if process is None:  # spark-submit has started it, and ends it
        return
    if process.stdin is not None:
        process.stdin.close()  # the JVM ends when its standard input does
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def translated(what: str, otherwise: type[BenchmarkError] = EngineError) -> Iterator[None]:
    """Translate errors of Spark while the JVM can still give their text.

    Raises:
        EngineError: the JVM has ended.
        otherwise: any other error of Spark.
    """
    spark_errors = jvm.spark_errors()
    caught: tuple[type[Exception], ...] = (*spark_errors, UnboundLocalError)
    try:
        yield
    except caught as error:
        # PySpark fails to close a connection that was never made: the cause is the context.
        cause = error.__context__ if isinstance(error, UnboundLocalError) else error
        if not isinstance(cause, spark_errors):
            raise
        ended = _how_jvm_ended() if _has_lost_jvm(cause) else None
        if ended is None and isinstance(cause, ConnectionError):
            raise  # not an error of Spark
        kind = EngineError if ended else otherwise
        msg = f"{what}: {ended or _main_line(str(cause))}"
        raise kind(msg) from cause


@contextmanager
def ignoring_lost_jvm() -> Iterator[None]:
    """Run a step that may be skipped if the JVM is gone."""
    with suppress(*jvm.connection_errors()):
        yield


def _has_lost_jvm(error: Exception) -> bool:
    """Return True if the JVM does not answer, or cannot explain its error any more."""
    try:
        str(error)
    except Exception:
        return True
    if jvm.is_connection_error(error):
        return True
    return _jvm_has_ended(FIRST_WAIT_SECONDS)


def _how_jvm_ended() -> str | None:
    """Return how the JVM ended, in a sentence; None while it runs."""
    process = jvm.process()
    if process is None or not _jvm_has_ended(LAST_WAIT_SECONDS):
        return None
    return (
        f"Spark's JVM has ended (exit code {process.returncode}); its last output is in the "
        "artifact logs/. If it was out of memory, raise backend.conf.spark.driver.memory."
    )


def _jvm_has_ended(patience_seconds: float) -> bool:
    process = jvm.process()
    if process is None:
        return False
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_seconds)
    return process.returncode is not None


def _main_line(text: str) -> str:
    """Return the main line of Spark's message: Python's error if there is one, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception|Exit)(: |$)", line)]
    python = [line for line in errors if not line.startswith(("org.", "java.", "py4j."))]
    return (python or errors or lines)[-1 if python else 0][:500]
