"""Reads one process's own counters: CPU seconds, resident memory, children. psutil off Linux."""

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
    """What one process says of itself at one moment.

    Attributes:
        start: when it started, in the kernel's own mark; with the pid it names a process for good.
        parent: pid of the present parent.
        own_seconds: CPU seconds of all its threads, dead ones included.
        reaped_seconds: CPU seconds of the children that it has waited for, and of theirs.
        rss_bytes: resident set size.
        threads: how many threads it has.
        zombie: it is dead, and nobody has waited for it yet.
    """

    start: float
    parent: int
    own_seconds: float
    reaped_seconds: float
    rss_bytes: int
    threads: int
    zombie: bool


class Counters(Protocol):
    """Where the numbers of a process come from."""

    notes: tuple[str, ...]

    def read(self, pid: int) -> Reading | None:
        """Read one process; None where there is none of that pid."""

    def children(self, pid: int, threads: int) -> list[int]:
        """Pids of the children that a process has now."""

    def pss_bytes(self, pid: int) -> int | None:
        """Proportional set size, shared pages divided by their sharers; None if not readable."""

    def births(self) -> int:
        """A number that changes when a process may have been born since the last call."""


class ProcCounters:
    """The counters of Linux, read from /proc and from the processes' own CPU clocks."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        """Look up the units of /proc once."""
        self._pid = os.getpid()
        self._tick_seconds = 1.0 / os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def read(self, pid: int) -> Reading | None:
        """Read /proc/<pid>/stat, and the process's CPU clock for what stat rounds to 10 ms."""
        try:
            text = _content(f"/proc/{pid}/stat")
        except _GONE:
            return None
        # The name in brackets may hold spaces and brackets itself: fields are counted after the
        # last one.
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
            # Where only the first thread has ended, the process lives on.
            zombie=field[0] in (b"Z", b"X") and threads <= 1,
        )

    def children(self, pid: int, threads: int) -> list[int]:
        """Read /proc/<pid>/task/*/children: the kernel keeps the list per thread that forked."""
        tasks = [str(pid)]
        if threads > 1:
            with contextlib.suppress(*_GONE), os.scandir(f"/proc/{pid}/task") as entries:
                tasks = [entry.name for entry in entries]
        found: list[int] = []
        for task in tasks:
            # It may end while we look: the next look finds its children where they went.
            with contextlib.suppress(*_GONE):
                found += map(int, _content(f"/proc/{pid}/task/{task}/children").split())
        return found

    def pss_bytes(self, pid: int) -> int | None:
        """Read /proc/<pid>/smaps_rollup; 0 for a process that has ended, None where we may not."""
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
        """The last pid that the kernel has given away (the fifth word of /proc/loadavg)."""
        return int(_content("/proc/loadavg").split()[4])

    @staticmethod
    def _own_seconds(pid: int, rounded: float) -> float:
        # clock_getcpuclockid(3) without the call: the clock of another process, in nanoseconds.
        # It may just have ended, and some sandboxes have no such clock: then stat's value serves.
        with contextlib.suppress(OSError):
            return max(rounded, time.clock_gettime(((~pid) << 3) | 2))
        return rounded

    def _reaped_seconds(self, pid: int, rounded: float) -> float:
        if pid != self._pid:
            return rounded
        import resource  # not on Windows

        usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # microseconds where stat has 10 ms
        return max(rounded, usage.ru_utime + usage.ru_stime)


class PsutilCounters:
    """The same through psutil, where there is no Linux /proc: slower, shared pages unknown."""

    notes: tuple[str, ...] = (
        "no Linux /proc here: processes are read through psutil, CPU seconds of short-lived "
        "children may be missing, memory is RSS (shared pages counted once per process)",
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
                    reaped_seconds=getattr(cpu, "children_user", 0.0)
                    + getattr(cpu, "children_system", 0.0),
                    rss_bytes=process.memory_info().rss,
                    threads=1,
                    zombie=process.status() == psutil.STATUS_ZOMBIE,
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None  # a process of another user counts through its parent, once it has ended

    def children(self, pid: int, threads: int) -> list[int]:  # noqa: ARG002 - the protocol's signature
        """Ask psutil, which walks over all processes of the machine."""
        import psutil

        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return []

    def pss_bytes(self, pid: int) -> int | None:  # noqa: ARG002 - the protocol's signature
        """No system but Linux tells it."""
        return None

    def births(self) -> int:
        """A new number every second: walking over all processes more often costs too much."""
        return int(time.monotonic())


def system_counters() -> Counters:
    """Choose what this system offers."""
    pid = os.getpid()
    if sys.platform == "linux" and Path(f"/proc/self/task/{pid}/children").exists():
        return ProcCounters()
    return PsutilCounters()


def _content(path: str) -> bytes:
    # Bare descriptors: a third of the cost of a file object, five times a second for every
    # process.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        chunk = content = os.read(descriptor, _CHUNK_BYTES)
        while chunk:
            chunk = os.read(descriptor, _CHUNK_BYTES)
            content += chunk
    finally:
        os.close(descriptor)
    return content
