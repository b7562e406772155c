"""The settings of a Spark session: its properties, and the environment of its Python workers."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from optibench.backends.common import worker_process
from optibench.redaction import is_secret_key

if TYPE_CHECKING:
    from optibench.records import EngineRequest

TRIES_PER_TASK = 4  # local[n] without this number retries nothing
PROPERTIES = {
    "spark.app.name": "optibench",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.python.worker.reuse": "true",  # a new worker imports everything again
    "spark.log.level": "ERROR",
    # Over TCP a Python task waits for a delayed acknowledgement: 72 ms, 28 ms this way.
    "spark.python.unix.domain.socket.enabled": "true",
    # A barrier stage waits for its slots; by default Spark checks every 15 s.
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
}
LOOPBACK = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
PYTHON = "spark.pyspark.python"
PACKAGE_PARENT = Path(__file__).resolve().parents[3]  # the folder that holds the package optibench


@dataclass(frozen=True)
class SessionSettings:
    """The settings of a session.

    Attributes:
        shown: properties on the JVM's command line, which every user of this machine can read.
        hidden: properties named like secrets; the JVM gets them once it runs.
        environment: variables of the Python workers.
        python: the program that they run.
        slots: number of tasks at a time.
        remote: the workers are those of a given master.
    """

    master: str
    shown: Mapping[str, str]
    hidden: Mapping[str, str] = field(repr=False)
    environment: Mapping[str, str]
    python: str
    slots: int
    remote: bool

    @classmethod
    def make(
        cls,
        master: str | None,
        properties: Mapping[str, str],
        secret: str | None,
        request: EngineRequest,
        extra: Mapping[str, str],
    ) -> Self:
        """Combine properties with those that suit every run; a task has a core per thread.

        `secret`: that of the cluster at `master`; it is ignored without a given master.
        `extra`: more variables of the Python workers.
        """
        remote = not is_local(master)
        cores = request.workers * request.threads
        settings = {
            **PROPERTIES,
            **(LOOPBACK if not remote or "//127." in (master or "") else {}),
            "spark.cores.max": str(cores),
            **(_executor_properties(request.threads) if remote else {}),
            **properties,
            "spark.task.cpus": str(request.threads),
        }
        if remote and secret:
            settings |= {"spark.authenticate": "true", "spark.authenticate.secret": secret}
        hidden = {key: value for key, value in settings.items() if is_secret_key(key)}
        environment = {**worker_process.thread_environment(request.threads), **extra}
        if not remote:
            environment["PYTHONPATH"] = os.pathsep.join(_python_path())
        return cls(
            master=master or f"local[{cores},{TRIES_PER_TASK}]",
            shown={key: value for key, value in settings.items() if key not in hidden},
            hidden=hidden,
            environment=environment,
            python=properties.get(PYTHON, sys.executable),
            slots=request.workers,
            remote=remote,
        )


def is_local(master: str | None) -> bool:
    """Return True if the workers run on this machine, in the driver's JVM."""
    return master is None or master.startswith("local")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten `{spark: {driver: {memory: 4g}}}` to Spark's dotted properties."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def bytes_of(size: str) -> int:
    """Return a size of Spark's properties ("600m", "1g": of 1024 x 1024 bytes) in bytes, or 0."""
    match = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", str(size).strip().lower())
    return int(match[1]) * 1024 ** " kmgt".index(match[2] or " ") if match else 0


def _executor_properties(threads: int) -> dict[str, str]:
    """Return properties that keep executors usable.

    By default Spark may distribute cores so that some executor has fewer than one task needs, and
    may end executors that are idle for a while.
    """
    cores = {"spark.executor.cores": str(threads)} if threads > 1 else {}
    return {**cores, "spark.dynamicAllocation.enabled": "false"}


def _python_path() -> list[str]:
    """Return where workers look for modules: this package, and what the user's own code needs.

    The paths are absolute, because the driver may use relative ones.
    """
    package = PACKAGE_PARENT
    installed = (Path(sys.prefix), Path(sys.base_prefix))
    entries = [Path(entry).resolve() for entry in sys.path]
    return [
        str(path)
        for path in dict.fromkeys((package, *filter(Path.exists, entries)))
        if path == package or not any(path.is_relative_to(prefix) for prefix in installed)
    ]
