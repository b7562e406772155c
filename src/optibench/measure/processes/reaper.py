"""Ends what a run started and what did not end by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from optibench.measure.processes.counters import system_counters
from optibench.measure.processes.tree import ProcessKey, descendants
from optibench.termination import end_processes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from signal import Signals

# Python's trackers of shared memory and semaphores end with the process that they serve, and
# print a warning when they are stopped before it.
_SELF_ENDING = "resource_tracker"


def stop_descendants(
    known: set[ProcessKey], grace_seconds: float = 3.0, seen: Iterable[ProcessKey] = ()
) -> None:
    """Ask processes to end, then kill those that do not.

    They are not waited for: that is up to the process that started them. A pid that somebody else
    has waited for may belong to another process when its owner uses it.

    Args:
        known: processes to spare: `descendants()` from before the run.
        grace_seconds: time that they have to end once asked.
        seen: processes of the run (`Recorder.tree.members()`), to find those too that lost their
            parent; this process is spared.
    """
    spared = {*known, *(key for key in seen if key.pid == os.getpid())}
    run = set(seen) - spared

    def remaining() -> set[ProcessKey]:
        found = descendants(orphans=run) - spared
        run.update(found)  # a process that loses its parent now is still found
        return found

    def send(key: ProcessKey, number: Signals) -> None:
        if not _signal(key, number):
            spared.add(key)

    end_processes(remaining, send, grace_seconds)


def _signal(key: ProcessKey, number: Signals) -> bool:
    """Signal a process; return False when it is to be left alone or has just ended."""
    import psutil

    try:
        process = psutil.Process(key.pid)
        command = " ".join(process.cmdline())
        reading = system_counters().read(key.pid)
        if _SELF_ENDING in command or reading is None or reading.start != key.start:
            return False
        process.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False  # denied: it runs with another user's rights, and only that user can end it
    return True
