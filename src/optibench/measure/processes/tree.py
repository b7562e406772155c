"""Follow the process tree of the driver, or of a worker: its members and their CPU time.

No single number states what the tree has used, because the counters of a process vanish when it
ends. Two sums can be read, and neither ever exceeds the true value:

a. The own time of the live processes plus the time of the children that they have waited for. It
   includes every process that started and ended between two snapshots. It misses orphans, because
   init waits for those. An orphan is recognised before it ends, so its last value is added.
b. The own time of the live processes plus the last known own time of those that ended. It includes
   orphans, and it has nanoseconds where the kernel keeps waited-for time in ticks of 10 ms. It
   misses short-lived processes.

The tree's total is the larger of the two, and it never falls. Processes that were alive before the
run count from the value that they had then; it is subtracted from both sums, also after they end.

Parents are read before their children. A child that ends in between is then missing from one
snapshot, and the next one includes it; the other order would count it twice.
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
    """Identifies a process: the kernel reuses a pid, but never a pid with its start time."""

    pid: int
    start: float


class Snapshot(NamedTuple):
    """The tree at one moment.

    Attributes:
        seconds: `time.perf_counter()` just before the counters were read.
        cpu_seconds: used by the whole tree since the run began, ended processes included.
        rss_bytes: sum over the processes; a page that several share counts once for each.
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
    orphan: bool = False  # at the last snapshot its parent was not in the tree
    own_before_seconds: float = 0.0


class ProcessTree:
    """A process and its descendants, including known ones that have lost their parent.

    It misses processes that detach (double fork) and end between two snapshots. It is safe to use
    from several threads.

    Attributes:
        counters: the source of the counters.
        driver: pid of the process at the root of the tree.
    """

    def __init__(
        self,
        own_before_seconds: float | None = None,
        counters: Counters | None = None,
        root: int | None = None,
    ) -> None:
        """Read the values from which the tree counts.

        Args:
            own_before_seconds: `time.process_time()` of this process when the run began; None if
                it begins now.
            counters: source of the counters; by default the best one on this system.
            root: pid of the process at the root of the tree, by default this process. If it is
                another process, this one never belongs to the tree.

        Raises:
            OSError: the counters of the root cannot be read.
        """
        self.counters = counters or system_counters()
        self._lock = threading.Lock()
        self._members: dict[int, _Member] = {}
        self._births = -1
        self._discovered_seconds = float("-inf")
        self._dead_own_seconds = 0.0
        self._orphan_seconds = 0.0
        self._before_seconds = 0.0
        self._total_seconds = 0.0
        self.driver = root or os.getpid()
        self._excluded = {os.getpid()} - {self.driver}
        self._begin(own_before_seconds)

    def snapshot(self) -> Snapshot:
        """Read every counter; this takes about 30 microseconds per process."""
        with self._lock:
            now = time.perf_counter()
            self._read_all(now)
            return Snapshot(now, self._cpu_seconds(), self._rss_bytes(), self._live_pids())

    def members(self) -> set[ProcessKey]:
        """Return the processes in the last snapshot of the tree, the driver included."""
        with self._lock:
            return {ProcessKey(pid, member.start) for pid, member in self._members.items()}

    def _begin(self, own_before_seconds: float | None) -> None:
        driver = self.counters.read(self.driver)
        if driver is None:
            message = f"the counters of process {self.driver} cannot be read"
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
        queue = list(self._members)  # in the order of discovery, so parents come first
        for pid in queue:
            reading = self.counters.read(pid)
            member = self._members.get(pid)
            if member is not None and (reading is None or reading.start != member.start):
                self._remove_ended(pid)
                # Another process may have got the pid, and it may belong to the tree too.
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
                    if child not in self._members and child not in self._excluded
                ]

    def _is_discovery_due(self, now: float) -> bool:
        births = self.counters.births()
        # At least once a second: the kernel's list may miss a child while a sibling ends.
        due = births != self._births or now - self._discovered_seconds >= _REDISCOVERY_SECONDS
        if due:
            self._births, self._discovered_seconds = births, now
        return due

    def _remove_ended(self, pid: int) -> None:
        member = self._members.pop(pid)
        self._dead_own_seconds += member.last.own_seconds - member.own_before_seconds
        if member.orphan:  # init waited for it: no counter of the tree includes its time
            self._orphan_seconds += member.last.own_seconds + member.last.reaped_seconds

    def _cpu_seconds(self) -> float:
        with_reaped = self._orphan_seconds - self._before_seconds
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
    """Return the live descendants of this process, without zombies.

    Args:
        orphans: processes that may have lost their parent; they and their descendants are
            included.
    """
    counters = system_counters()
    driver = os.getpid()
    starts = dict(orphans)
    queue = [driver, *starts]
    live: set[ProcessKey] = set()
    for pid in queue:
        reading = counters.read(pid)
        if reading is None or starts.get(pid, reading.start) != reading.start:
            continue
        if pid != driver and not reading.zombie:
            live.add(ProcessKey(pid, reading.start))
        known = set(queue)
        queue += [child for child in counters.children(pid, reading.threads) if child not in known]
    return live
