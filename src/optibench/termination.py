"""End processes: ask with SIGTERM, then kill those that do not end in time.

Ground layer: standard library only.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Set

_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0  # the kernel may keep a killed process, e.g. in a file system that hangs
_EMPTY_ROUNDS = 2  # the kernel's list of children may omit one while its sibling ends

Key = TypeVar("Key")


def end_processes(
    remaining: Callable[[], Set[Key]],
    send: Callable[[Key, signal.Signals], object],
    grace_seconds: float,
) -> None:
    """Ask processes to end, then kill those that do not, until none is left.

    Processes that appear after the request are not asked, but get the same grace period: they are
    the cleanup work of those that were asked (a JVM removes its folders with `rm`).

    Args:
        remaining: returns the processes that still run.
        send: sends a signal to one of them.
        grace_seconds: time between SIGTERM and SIGKILL; 0 kills at once.
    """
    deadline_seconds = time.monotonic() + grace_seconds
    is_first, empty_rounds = True, 0
    while True:
        left = remaining()
        now_seconds = time.monotonic()
        is_late = now_seconds >= deadline_seconds
        empty_rounds = 0 if left else empty_rounds + 1
        if empty_rounds == _EMPTY_ROUNDS or now_seconds >= deadline_seconds + _KILL_SECONDS:
            return
        for key in left if is_first or is_late else ():
            send(key, signal.SIGKILL if is_late else signal.SIGTERM)
        is_first = False
        time.sleep(_POLL_SECONDS)


def end_group(leader: subprocess.Popen[bytes], grace_seconds: float = 0.0) -> None:
    """End a process that was started with `start_new_session=True`, and its whole group.

    Processes of the group that outlive their leader are ended too.

    Args:
        leader: may have ended already.
        grace_seconds: time between SIGTERM and SIGKILL; 0 kills at once.
    """

    def remaining() -> set[int]:
        leader.poll()  # a zombie that nobody waits for would keep the group
        return {leader.pid} if _send_to_group(leader.pid, 0) else set()

    end_processes(remaining, _send_to_group, grace_seconds)


def _send_to_group(leader: int, number: int) -> bool:
    """Send a signal to a process group; return whether there is such a group."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    return True
