"""Leaves no process behind: stops what a run has started and what did not end by itself."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from optibench.measure.processes.counters import system_counters
from optibench.measure.processes.tree import ProcessKey, descendants

if TYPE_CHECKING:
    from collections.abc import Iterable

_POLL_SECONDS = 0.02
_KILL_SECONDS = 2.0  # then the kernel keeps it, in a file system that hangs: nobody can stop it
_EMPTY_ROUNDS = 2
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
    rounds = empty_rounds = 0
    # Twice empty: the kernel's list of children may leave one out while its sibling ends.
    while empty_rounds < _EMPTY_ROUNDS and time.monotonic() < deadline_seconds + _KILL_SECONDS:
        remaining = descendants(orphans=ours) - spared
        ours |= remaining  # what loses its parent to us is still found
        empty_rounds = 0 if remaining else empty_rounds + 1
        is_late = time.monotonic() >= deadline_seconds
        # What is born after the request is the tidying up of those that were asked (a JVM removes
        # its folders by `rm`): it has the same time to end, and is not asked.
        for key in remaining if rounds == 0 or is_late else ():
            outcome = _stop(key, kill=is_late)
            if outcome is None:
                spared.add(key)
            else:
                stopped[key] = outcome
        rounds += 1
        time.sleep(_POLL_SECONDS)
    return [stopped[key] for key in sorted(stopped, key=lambda key: key.start)]


def _stop(key: ProcessKey, *, kill: bool) -> Stopped | None:
    """Signal a process; None where it is to be left, may not be touched or has just ended."""
    import psutil

    try:
        process = psutil.Process(key.pid)
        command = " ".join(process.cmdline())
        reading = system_counters().read(key.pid)
        if _SELF_ENDING in command or reading is None or reading.start != key.start:
            return None
        process.kill() if kill else process.terminate()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None  # denied: it took on another user's rights, and only that user can end it
    return Stopped(key.pid, command, killed=kill)
