"""Errors of a given Spark master that Spark does not report: a wrong secret, too few slots.

Spark retries a master that has refused its secret for a minute, and then starts without a master;
a job without slots waits for ever.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.backends.common.background_start import checkpoint
from optibench.backends.spark import jvm
from optibench.errors import EngineError
from optibench.redaction import redact

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark import SparkContext

    from optibench.backends.spark.settings import SessionSettings

SLOT_SECONDS = 90.0
# What Spark logs if the two sides do not agree on a secret.
REFUSED = re.compile(r"Exception while bootstrapping client.*\n.*")
REFUSAL = (
    "Spark's master at {master} refuses this program's secret. Set backend.secret, preferably by "
    "the environment variable OPTIBENCH_SPARK_SECRET, to the secret with which master and workers "
    "were started (spark.authenticate.secret), or to null if they have none."
)


@contextmanager
def end_on_refusal(
    process: subprocess.Popen[bytes] | None, log: Path, master: str
) -> Iterator[None]:
    """Connect inside; the JVM is ended as soon as it logs that its secret was refused.

    Raises:
        EngineError: the secret was refused.
    """
    if process is None or not master.startswith("spark"):
        yield
        return
    begin = log.stat().st_size if log.exists() else 0
    refused, is_over = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.3):
            with log.open("rb") as file:
                file.seek(begin)
                if REFUSED.search(file.read().decode(errors="replace")):
                    refused.set()
                    process.kill()
                    return

    watcher = threading.Thread(target=watch, name="spark-log", daemon=True)
    watcher.start()
    try:
        yield
    except Exception as error:
        if refused.is_set():
            raise EngineError(REFUSAL.format(master=redact(master))) from error
        raise
    finally:
        is_over.set()
        watcher.join()


def await_slots(context: SparkContext, settings: SessionSettings) -> None:
    """Wait until the executors have as many slots as tasks are to run at a time.

    Raises:
        EngineError: the master is gone, or has too few slots.
    """
    deadline = time.monotonic() + SLOT_SECONDS
    n_slots = 0
    while not jvm.is_stopped(context):
        n_slots = jvm.concurrent_tasks(context)
        if n_slots >= settings.slots:
            return
        if time.monotonic() > deadline:
            raise EngineError(_too_few_slots(settings, n_slots))
        checkpoint()
        time.sleep(0.2)
    msg = (
        f"Spark's master at {redact(settings.master)} does not accept this program: it is gone, "
        "has another version, or requires a secret (backend.secret, or the environment variable "
        "OPTIBENCH_SPARK_SECRET)."
    )
    raise EngineError(msg)


def _too_few_slots(settings: SessionSettings, n_slots: int) -> str:
    cores = settings.shown["spark.task.cpus"]
    memory = settings.shown.get("spark.executor.memory", "1g")
    return (
        f"Spark's master at {redact(settings.master)} gives {n_slots} slots of {cores} core(s), "
        f"fewer than the {settings.slots} asked for: start more workers, wait for other programs, "
        f"or lower backend.workers. Each executor also needs {memory} of memory "
        "(backend.conf.spark.executor.memory)."
    )
