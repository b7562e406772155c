"""What workers do in the conformance suite of backends. They import this module, not pytest."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from optibench.backends.common.worker_process import wait_for_workers
from optibench.records import Batch, BatchOutcome, Candidate, Status, Trial, Unit, UnitOutcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SharedRows(NamedTuple):
    """What a batch is given: rows, and a folder that workers have in common with the driver."""

    rows: NDArray[np.float64]
    folder: str = ""


def batch_of(number: int = 0) -> Batch:
    """Return a batch of one unit, which a task may tell from others by its fold."""
    return Batch((Unit((Candidate(0, {}),), number),), 60.0)


def describe(shared: SharedRows, batch: Batch) -> BatchOutcome:
    """Say in which process the task ran, where the rows lie, and how many threads it may use."""
    from threadpoolctl import threadpool_info

    facts = {
        "sum": float(shared.rows.sum()),
        "address": float(id(shared.rows)),
        "threads": float(max((pool["num_threads"] for pool in threadpool_info()), default=1)),
        "OMP_NUM_THREADS": float(os.environ.get("OMP_NUM_THREADS", "-1")),
    }
    trial = Trial(0, {}, 0, facts, 0.0, 0.0, 0.0, str(os.getpid()), 0.0, 0.0, Status.FINISHED)
    return BatchOutcome((UnitOutcome(batch.units[0], (trial,), 0.0),), (), None)


def describe_together(shared: SharedRows, batch: Batch) -> BatchOutcome:
    """Do the same as soon as the tasks of the same number have begun in two processes."""
    folder = Path(shared.folder) / str(batch.units[0].fold)
    folder.mkdir(exist_ok=True)
    wait_for_workers(str(folder), 2)
    return describe(shared, batch)


def describe_later(shared: SharedRows, batch: Batch) -> BatchOutcome:
    """Do the same once loky has had the time to look at the memory of its worker (1 s)."""
    time.sleep(1.1)
    return describe_together(shared, batch)


def fail(_shared: SharedRows, _batch: Batch) -> BatchOutcome:
    """Raise, as a task with a bug does."""
    msg = "a bug in the task"
    raise RuntimeError(msg)


def die_once(shared: SharedRows, batch: Batch) -> BatchOutcome:
    """Kill the process at the first try, as the kernel does where memory runs out."""
    mark = Path(shared.folder) / "killed"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return describe(shared, batch)
    os.kill(os.getpid(), 9)
    return describe(shared, batch)


def die(_shared: SharedRows, batch: Batch) -> BatchOutcome:
    """Kill the process at every try."""
    os.kill(os.getpid(), 9)
    return BatchOutcome((), batch.units, None)
