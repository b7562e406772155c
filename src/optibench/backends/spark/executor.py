"""Find the process that owns all work of a Python worker of Spark."""

from __future__ import annotations

from contextlib import suppress

import psutil

PYSPARK = "pyspark"  # in the command line of PySpark's daemon


def executor() -> int:
    """Return, in a Python worker, the pid of the JVM that started it, by PySpark's daemon or not.

    The work of an executor happens in this process and its descendants.

    Raises:
        LookupError: the worker was not started by a JVM.
    """
    with suppress(psutil.Error):  # the process has ended, or may not be read
        for process in psutil.Process().parents():
            if "java" in process.name():
                return process.pid
            if not any(PYSPARK in word for word in process.cmdline()):
                break
    msg = "the executor that started this worker was not found among its parent processes"
    raise LookupError(msg)
