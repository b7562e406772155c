"""Which process holds all that a Python worker of Spark uses."""

from __future__ import annotations

from contextlib import suppress

import psutil

PYTHON = "pyspark"


def executor() -> int:
    """In a Python worker: pid of the JVM that has started it, itself or by PySpark's daemon.

    What goes on in an executor is in this process and its descendants.

    Raises:
        LookupError: another process than a JVM has.
    """
    with suppress(psutil.Error):  # one that has ended, or is not to be read
        for process in psutil.Process().parents():
            if "java" in process.name():
                return process.pid
            if not any(PYTHON in word for word in process.cmdline()):
                break
    msg = "the executor that has started this worker was not found among its parents"
    raise LookupError(msg)
