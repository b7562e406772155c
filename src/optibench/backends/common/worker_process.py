"""What every worker process does when it starts, on any engine.

Runs inside workers: it must stay cheap to import.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
ALL_STARTED_SECONDS = 120.0


def memory_environment(parallelism: str) -> dict[str, str]:
    """Return the variables that make a worker return the memory of large arrays at once.

    By default glibc keeps 100 MB and more while chunks of 10 MB are allocated and freed, and
    Arrow's own allocator 180 MB. With these variables reading is a quarter slower. Trials do not
    need them.
    """
    variables = {"MALLOC_TRIM_THRESHOLD_": "65536", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    return {} if parallelism == "trials" else variables


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment variables that limit native thread pools to `threads`."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def begin(logs: str, modules: Sequence[str]) -> None:
    """Turn this process into a worker.

    Its output goes to a log file, Ctrl-C is left to the driver, and `modules` are imported.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    print_to(Path(logs) / f"worker-{os.getpid()}.log")
    load(modules)


def load(modules: Sequence[str]) -> None:
    """Import `modules` and exempt all imported objects from garbage collection.

    PySpark collects garbage after every task: 100 ms with scikit-learn and xgboost imported, 2 ms
    frozen. A second call in the same worker does nothing.
    """
    missing = [module for module in modules if module not in sys.modules]
    for module in missing:
        importlib.import_module(module)
    if missing or not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def print_to(path: Path) -> None:
    """Redirect this process's output to a file if its folder exists (not on another machine)."""
    if not path.parent.is_dir():
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def wait_for_workers(folder: str, count: int) -> int:
    """Leave a mark in `folder` and wait until `count` processes have done so; return this pid."""
    (Path(folder) / str(os.getpid())).touch()
    deadline = time.monotonic() + ALL_STARTED_SECONDS
    while (present := len(list(Path(folder).iterdir()))) < count:
        if time.monotonic() > deadline:
            msg = f"Only {present} of {count} workers started in {ALL_STARTED_SECONDS:.0f} s."
            raise TimeoutError(msg)
        time.sleep(0.005)
    return os.getpid()
