"""Read the counters of one process: CPU seconds, resident memory, children.

Linux has them in /proc; on other systems psutil reads them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple, Protocol

_GONE = (FileNotFoundError, ProcessLookupError)
_CHUNK_BYTES = 4096


class Reading(NamedTuple):
    """The counters of one process at one moment.

    Attributes:
        start: start time in the kernel's own unit; pid and start together identify a process, even
            after its pid is used again.
        parent: pid of its current parent.
        own_seconds: CPU seconds of all its threads, ended threads included.
        reaped_seconds: CPU seconds of the children that it has waited for, and of their waited-for
            children.
        rss_bytes: resident set size.
        threads: number of threads.
        zombie: it has ended and its parent has not waited for it yet.
    """

    start: float
    parent: int
    own_seconds: float
    reaped_seconds: float
    rss_bytes: int
    threads: int
    zombie: bool


class Counters(Protocol):
    """Source of the counters of processes.

    Attributes:
        notes: limits of this source, in sentences for the user.
    """

    notes: tuple[str, ...]

    def read(self, pid: int) -> Reading | None:
        """Read one process; return None if no process has that pid."""

    def children(self, pid: int, threads: int) -> list[int]:
        """Return the pids of the current children of a process."""

    def pss_bytes(self, pid: int) -> int | None:
        """Return the proportional set size (PSS); None if it cannot be read.

        The PSS counts a shared page divided by the number of processes that share it.
        """

    def births(self) -> int:
        """Return a number that changes when a process may have started since the last call."""


class ProcCounters:
    """The counters of Linux, read from /proc and from the CPU clock of each process."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        """Look up the units of /proc once."""
        self._pid = os.getpid()
        self._tick_seconds = 1.0 / os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def read(self, pid: int) -> Reading | None:
        """Read /proc/<pid>/stat, and the process's CPU clock because stat rounds to 10 ms."""
        try:
            text = _content(f"/proc/{pid}/stat")
        except _GONE:
            return None
        # The name in brackets may contain spaces and brackets: fields are counted after the last
        # closing bracket.
        field = text[text.rindex(b")") + 2 :].split()
        own_ticks = int(field[11]) + int(field[12])
        reaped_ticks = int(field[13]) + int(field[14])
        threads = int(field[17])
        return Reading(
            start=int(field[19]) * self._tick_seconds,
            parent=int(field[1]),
            own_seconds=self._own_seconds(pid, own_ticks * self._tick_seconds),
            reaped_seconds=self._reaped_seconds(pid, reaped_ticks * self._tick_seconds),
            rss_bytes=int(field[21]) * self._page_bytes,
            threads=threads,
            # If only the first thread has ended, the process is still running.
            zombie=field[0] in (b"Z", b"X") and threads <= 1,
        )

    def children(self, pid: int, threads: int) -> list[int]:
        """Read /proc/<pid>/task/*/children: the kernel keeps one list per thread that forked."""
        tasks = [str(pid)]
        if threads > 1:
            with contextlib.suppress(*_GONE), os.scandir(f"/proc/{pid}/task") as entries:
                tasks = [entry.name for entry in entries]
        pids: list[int] = []
        for task in tasks:
            # The thread may end during this loop; the next snapshot finds its children under their
            # new parent.
            with contextlib.suppress(*_GONE):
                pids += map(int, _content(f"/proc/{pid}/task/{task}/children").split())
        return pids

    def pss_bytes(self, pid: int) -> int | None:
        """Read /proc/<pid>/smaps_rollup; 0 if the process has ended, None without permission."""
        try:
            text = _content(f"/proc/{pid}/smaps_rollup")
        except ProcessLookupError:
            return 0
        except FileNotFoundError:
            return None if Path(f"/proc/{pid}").exists() else 0
        except PermissionError:
            return None
        at = text.find(b"\nPss:")
        return int(text[at + 5 :].split(None, 1)[0]) * 1024 if at >= 0 else None

    def births(self) -> int:
        """Return the last pid that the kernel assigned (the fifth word of /proc/loadavg)."""
        return int(_content("/proc/loadavg").split()[4])

    @staticmethod
    def _own_seconds(pid: int, rounded: float) -> float:
        # The id that clock_getcpuclockid(3) returns for the CPU clock of another process, which
        # counts nanoseconds. If the process has just ended, or a sandbox has no such clock, the
        # value of stat is used.
        with contextlib.suppress(OSError):
            return max(rounded, time.clock_gettime(((~pid) << 3) | 2))
        return rounded

    def _reaped_seconds(self, pid: int, rounded: float) -> float:
        if pid != self._pid:
            return rounded
        import resource  # does not exist on Windows

        usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # microseconds; stat has 10 ms
        return max(rounded, usage.ru_utime + usage.ru_stime)


class PsutilCounters:
    """The counters through psutil, for systems without a Linux /proc: slower, and without PSS."""

    notes: tuple[str, ...] = (
        "this system has no Linux /proc: processes are read through psutil, CPU seconds of "
        "short-lived children may be missing, memory is RSS (shared pages count once per process)",
    )

    def read(self, pid: int) -> Reading | None:
        """Read one process through psutil."""
        import psutil

        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_times()
                return Reading(
                    start=process.create_time(),
                    parent=process.ppid(),
                    own_seconds=cpu.user + cpu.system,
                    reaped_seconds=cpu.children_user + cpu.children_system,
                    rss_bytes=process.memory_info().rss,
                    threads=1,
                    zombie=process.status() == psutil.STATUS_ZOMBIE,
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return (
                None  # the CPU time of another user's process counts when its parent waits for it
            )

    def children(self, pid: int, threads: int) -> list[int]:  # noqa: ARG002 - the protocol's signature
        """Ask psutil, which goes through all processes of the machine."""
        import psutil

        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return []

    def pss_bytes(self, pid: int) -> int | None:  # noqa: ARG002 - the protocol's signature
        """Return None: only Linux reports the PSS."""
        return None

    def births(self) -> int:
        """Return a new number every second: searching all processes more often costs too much."""
        return int(time.monotonic())


def system_counters() -> Counters:
    """Return the best source of counters on this system."""
    pid = os.getpid()
    if sys.platform == "linux" and Path(f"/proc/self/task/{pid}/children").exists():
        return ProcCounters()
    return PsutilCounters()


def _content(path: str) -> bytes:
    # A bare descriptor costs a third of a file object, and this is called five times a second for
    # every process.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        chunk = content = os.read(descriptor, _CHUNK_BYTES)
        while chunk:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            content += chunk
    finally:
        os.close(descriptor)
    return content
