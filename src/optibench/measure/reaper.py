"""Leaves no process behind: stops what a run has started and what did not end by itself."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from optibench.measure.counters import system_counters
from optibench.measure.processes import ProcessKey, descendants

if TYPE_CHECKING:
    from collections.abc import Iterable

_POLL_SECONDS = 0.02
_KILL_SECONDS = 2.0
# Python's trackers of shared memory and semaphores end with the process that they serve, and
# complain where they are stopped before it.
_SELF_ENDING = "resource_tracker"


class Stopped(NamedTuple):
    """A process that had to be stopped; `killed` says that it did not heed the request to end."""

    pid: int
    command: str
    killed: bool


def stop_descendants(
    known: set[ProcessKey], grace_seconds: float = 3.0, seen: Iterable[ProcessKey] = ()
) -> list[Stopped]:
    """Ask processes to end, then kill those that do not.

    They are not waited for: that is for whoever started them, and a pid waited for behind the
    owner's back may be another process's when the owner uses it.

    Args:
        known: processes to spare: `descendants()` from before the run.
        grace_seconds: how long they may take to end by themselves once asked.
        seen: processes of the run (`Recorder.tree.members()`), to find those too that lost their
            parent; this process is spared.

    Returns:
        what had to be stopped, oldest first.
    """
    spared = {*known, *(key for key in seen if key.pid == os.getpid())}
    ours = set(seen) - spared
    stopped: dict[ProcessKey, Stopped] = {}
    deadline_seconds = time.monotonic() + grace_seconds
    while remaining := descendants(orphans=ours) - spared:
        now = time.monotonic()
        if now > deadline_seconds + _KILL_SECONDS:
            break  # the kernel keeps it, in a file system that hangs: nobody can stop it
        ours |= remaining  # what loses its parent to us is still found
        is_late = now >= deadline_seconds
        for key in remaining - stopped.keys() if not is_late else remaining:
            outcome = _stop(key, kill=is_late)
            if outcome is None:
                spared.add(key)
            else:
                stopped[key] = outcome
        time.sleep(_POLL_SECONDS)
    return [stopped[key] for key in sorted(stopped, key=lambda key: key.start)]


def _stop(key: ProcessKey, *, kill: bool) -> Stopped | None:
    """Signal a process; None where it is to be left, or may not be touched."""
    import psutil

    try:
        process = psutil.Process(key.pid)
        command = " ".join(process.cmdline())
        if _SELF_ENDING in command:
            return None
        reading = system_counters().read(key.pid)
        if reading is not None and reading.start == key.start:
            process.kill() if kill else process.terminate()
    except psutil.AccessDenied:
        return None  # it took on another user's rights; only that user can end it
    except psutil.NoSuchProcess:  # it ended in the meantime, or is a zombie
        return Stopped(key.pid, "", killed=kill)
    return Stopped(key.pid, command, killed=kill)
