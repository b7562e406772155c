"""The process tree of the driver, or of a worker: who belongs to it, its CPU time since the start.

What the tree has used cannot be read in one number, because a process takes its counters with it
when it ends. Two numbers can be read, and neither is ever above the truth:

a. Over the live processes, own time plus the time of the children that they have waited for. This
   holds every process that came and went between two looks, but loses one that nobody in the tree
   waited for: an orphan is waited for by init. Orphans are known when they end, so their last
   value is added.
b. Over the live processes, own time, plus the last own time seen of those that ended. This holds
   orphans and has nanoseconds where the kernel keeps waited-for time in ticks of 10 ms, but misses
   the short-lived.

The tree's total is the larger of the two, and never falls. Processes alive before the run count
from the value that they had then; it is taken off both sums for good, also after they end.

Parents are read before their children: a child that ends in between is then missing from one look
(the next has it), where the other order would count it twice.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from optibench.measure.processes.counters import Counters, Reading, system_counters

if TYPE_CHECKING:
    from collections.abc import Iterable

_REDISCOVERY_SECONDS = 1.0


class ProcessKey(NamedTuple):
    """Names a process for good: pids are given away again, a pid with its start is not."""

    pid: int
    start: float


class Look(NamedTuple):
    """The tree at one moment.

    Attributes:
        seconds: `time.perf_counter()` just before the counters were read.
        cpu_seconds: used by the whole tree since the run began, processes that have ended
            included.
        rss_bytes: summed over processes: pages shared by several are counted several times.
        pids: the live processes.
    """

    seconds: float
    cpu_seconds: float
    rss_bytes: int
    pids: tuple[int, ...]


@dataclass
class _Member:
    start: float
    last: Reading
    orphan: bool = False  # at the last look its parent was not of the tree
    own_before_seconds: float = 0.0


class ProcessTree:
    """A process and its descendants, also those that lost their parent once seen.

    Not seen are processes that detach (double fork) and end between two looks. Safe to use from
    several threads.
    """

    def __init__(
        self,
        own_before_seconds: float | None = None,
        counters: Counters | None = None,
        root: int | None = None,
    ) -> None:
        """Take the values that count as zero.

        Args:
            own_before_seconds: `time.process_time()` of this process where the run began, if that
                is past.
            counters: where to read; by default what the system offers.
            root: pid of another process whose tree it is; this one never belongs to that.
        """
        self.counters = counters or system_counters()
        self._lock = threading.Lock()
        self._members: dict[int, _Member] = {}
        self._births = -1
        self._discovered_seconds = float("-inf")
        self._dead_own_seconds = 0.0
        self._lost_seconds = 0.0
        self._before_seconds = 0.0
        self._total_seconds = 0.0
        self.driver = root or os.getpid()
        self._apart = {os.getpid()} - {self.driver}
        self._begin(own_before_seconds)

    def look(self) -> Look:
        """Read every counter; costs some 30 microseconds for each process."""
        with self._lock:
            now = time.perf_counter()
            self._read_all(now)
            return Look(now, self._cpu_seconds(), self._rss_bytes(), self._live_pids())

    def members(self) -> set[ProcessKey]:
        """The processes of the tree as of the last look, the driver included."""
        with self._lock:
            return {ProcessKey(pid, member.start) for pid, member in self._members.items()}

    def _begin(self, own_before_seconds: float | None) -> None:
        driver = self.counters.read(self.driver)
        if driver is None:
            message = f"process {self.driver} cannot read its own counters"
            raise OSError(message)
        self._members[self.driver] = _Member(driver.start, driver)
        self._read_all(time.perf_counter())
        for member in self._members.values():
            member.own_before_seconds = member.last.own_seconds
            self._before_seconds += member.last.own_seconds + member.last.reaped_seconds
        if own_before_seconds is not None:
            root = self._members[self.driver]
            self._before_seconds += own_before_seconds - root.own_before_seconds
            root.own_before_seconds = own_before_seconds

    def _read_all(self, now: float) -> None:
        discover = self._is_discovery_due(now)
        queue = list(self._members)  # in the order of discovery: parents first
        for pid in queue:
            reading = self.counters.read(pid)
            member = self._members.get(pid)
            if member is not None and (reading is None or reading.start != member.start):
                self._bury(pid)
                # The pid may have gone to another process, which may be ours too.
                if reading is None or reading.parent not in self._members:
                    continue
                member = None
            if reading is None:
                continue
            if member is None:
                member = self._members[pid] = _Member(reading.start, reading)
            member.last = reading
            member.orphan = pid != self.driver and reading.parent not in self._members
            if discover:
                children = self.counters.children(pid, reading.threads)
                queue += [
                    child
                    for child in children
                    if child not in self._members and child not in self._apart
                ]

    def _is_discovery_due(self, now: float) -> bool:
        births = self.counters.births()
        # Once a second in any case: the kernel's list may leave out a child while a sibling ends.
        due = births != self._births or now - self._discovered_seconds >= _REDISCOVERY_SECONDS
        if due:
            self._births, self._discovered_seconds = births, now
        return due

    def _bury(self, pid: int) -> None:
        member = self._members.pop(pid)
        self._dead_own_seconds += member.last.own_seconds - member.own_before_seconds
        if member.orphan:  # waited for by init: no counter of the tree has its time
            self._lost_seconds += member.last.own_seconds + member.last.reaped_seconds

    def _cpu_seconds(self) -> float:
        with_reaped = self._lost_seconds - self._before_seconds
        own_only = self._dead_own_seconds
        for member in self._members.values():
            with_reaped += member.last.own_seconds + member.last.reaped_seconds
            own_only += member.last.own_seconds - member.own_before_seconds
        self._total_seconds = max(self._total_seconds, with_reaped, own_only)
        return self._total_seconds

    def _rss_bytes(self) -> int:
        return sum(member.last.rss_bytes for member in self._members.values())

    def _live_pids(self) -> tuple[int, ...]:
        return tuple(pid for pid, member in self._members.items() if not member.last.zombie)


def descendants(orphans: Iterable[ProcessKey] = ()) -> set[ProcessKey]:
    """Find the live processes below this one (zombies and this one left out).

    Args:
        orphans: processes that may have lost their parent: they and those below them count too.
    """
    counters = system_counters()
    driver = os.getpid()
    starts = dict(orphans)
    queue = [driver, *starts]
    found: set[ProcessKey] = set()
    for pid in queue:
        reading = counters.read(pid)
        if reading is None or starts.get(pid, reading.start) != reading.start:
            continue
        if pid != driver and not reading.zombie:
            found.add(ProcessKey(pid, reading.start))
        known = set(queue)
        queue += [child for child in counters.children(pid, reading.threads) if child not in known]
    return found
