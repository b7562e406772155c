"""A Spark session from its start to the end of its JVM."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optibench
from optibench.backends import worker_process
from optibench.backends.shield import checkpoint
from optibench.backends.spark.java import find_java_home
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.records import EngineRequest

TRIES_PER_TASK = 4  # local[n] alone retries nothing
PROPERTIES = {
    "spark.app.name": "optibench",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.python.worker.reuse": "true",  # a new worker imports everything again
    "spark.log.level": "ERROR",
    # Over TCP a Python task waits for a delayed acknowledgement: 72 ms, 28 ms this way.
    "spark.python.unix.domain.socket.enabled": "true",
}
LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def spark_context(
    master: str | None, properties: Mapping[str, Any], request: EngineRequest
) -> Iterator[Any]:
    """Start a SparkContext on `master` (None: this machine) and stop it with its JVM.

    Raises:
        EngineError: it cannot be started.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway

    on_this_machine = master is None or master.startswith("local") or "//127." in master
    master = master or f"local[{request.workers},{TRIES_PER_TASK}]"
    settings = {
        **PROPERTIES,
        **(LOOPBACK if on_this_machine else {}),
        "spark.cores.max": str(request.workers),
        **flatten(properties),
        "spark.task.cpus": "1",
    }
    conf = SparkConf().setMaster(master).setAll(list(settings.items()))
    for variable, value in worker_process.thread_environment(request.threads).items():
        conf.setExecutorEnv(variable, value)
    conf.setExecutorEnv("PYTHONPATH", os.pathsep.join(_python_path()))
    os.environ["JAVA_HOME"] = str(find_java_home().path)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if SparkContext._active_spark_context is not None:
        msg = (
            "A SparkContext is already active in this process; "
            "stop it before a benchmark on Spark."
        )
        raise EngineError(msg)
    # PySpark imports pandas for its DataFrames, not used here. No `catch_warnings`: other threads
    # are running.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    checkpoint()
    launch: Any = launch_gateway  # it has no types
    gateway = SparkContext._gateway  # of a context that the user has had and stopped
    try:
        with (request.logs / "spark.log").open("ab") as log:  # also of the JVM's Python workers
            gateway = gateway or launch(conf, {"stdout": log, "stderr": log})
        checkpoint()
        context = SparkContext(conf=conf, gateway=gateway)
    except Exception as error:
        _end(gateway)
        msg = f"Spark could not be started on {master}: {str(error).splitlines()[0]}"
        raise EngineError(msg) from error
    try:
        checkpoint()
        yield context
    finally:
        try:
            context.stop()
        except OSError:  # the JVM is gone; the second time PySpark knows it, and tidies up here
            context.stop()
        finally:
            _end(gateway)


def _python_path() -> list[str]:
    """Where workers look for modules: for this package, and for what the user's own code needs.

    The driver may have found them by a relative path.
    """
    own = Path(optibench.__file__).resolve().parents[1]
    installed = (Path(sys.prefix), Path(sys.base_prefix))
    found = [Path(entry).resolve() for entry in sys.path]
    return [
        str(path)
        for path in dict.fromkeys((own, *filter(Path.exists, found)))
        if path == own or not any(path.is_relative_to(prefix) for prefix in installed)
    ]


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


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{spark: {driver: {memory: 4g}}}` as Spark's dotted properties."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


@contextmanager
def translated(what: str) -> Iterator[None]:
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
