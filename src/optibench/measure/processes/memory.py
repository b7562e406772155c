"""Measure the memory of a process tree by its proportional set size (PSS).

Reading the PSS is expensive, so it is read seldom, and at once when the memory reaches a new peak.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from optibench.measure.processes.counters import Counters
    from optibench.measure.processes.tree import Snapshot

_RISE = 1.05
_RISE_AGE_SECONDS = 0.5
# Shares of one core that reading may cost. A gigabyte in 4 kB pages takes 25 ms, which would be
# more than 1 % if it were read every 2 s.
_REGULAR_SHARE = 0.005
_RISE_SHARE = 0.04


class MemoryReading(NamedTuple):
    """Memory of a process tree at one moment.

    Attributes:
        memory_bytes: the PSS if it was read, else an estimate: the RSS times the last known ratio
            PSS / RSS.
        pss_bytes: proportional set size, which counts shared pages once; None if it was not read
            at this moment.
    """

    memory_bytes: int
    pss_bytes: int | None


class MemoryGauge:
    """Reads the PSS of a process tree when due.

    The kernel walks all page tables for it, which takes 1-5 ms per process.

    Attributes:
        unreadable: pids whose PSS could not be read; their RSS counts instead.
    """

    def __init__(self, counters: Counters) -> None:
        """Prepare to read through `counters`."""
        self._counters = counters
        self._lock = threading.Lock()
        self._read_seconds = float("-inf")
        self._rss_bytes = 0
        self._pss_bytes = 0
        self._highest_rss_bytes = 0
        self._cost_seconds = 0.0
        self.unreadable: set[int] = set()

    def measure(self, snapshot: Snapshot, max_age_seconds: float) -> MemoryReading:
        """Return the memory at `snapshot`.

        The PSS is read if the last reading is older than `max_age_seconds`. So that no peak is
        missed in between, it is also read (at most twice a second) if the RSS is more than 5 %
        above the highest RSS of an earlier reading. Expensive readings are made less often.
        """
        with self._lock:
            if not self._is_due(snapshot, max_age_seconds):
                return self.estimate(snapshot)
            begin_seconds = time.thread_time()
            pss_bytes = sum(self._process_bytes(pid) for pid in snapshot.pids)
            self._cost_seconds = time.thread_time() - begin_seconds
            self._read_seconds = snapshot.seconds
            self._rss_bytes, self._pss_bytes = snapshot.rss_bytes, pss_bytes
            self._highest_rss_bytes = max(self._highest_rss_bytes, snapshot.rss_bytes)
            return MemoryReading(pss_bytes, pss_bytes)

    def _is_due(self, snapshot: Snapshot, max_age_seconds: float) -> bool:
        age_seconds = snapshot.seconds - self._read_seconds
        if age_seconds >= max(max_age_seconds, self._cost_seconds / _REGULAR_SHARE):
            return True
        risen = snapshot.rss_bytes > self._highest_rss_bytes * _RISE
        return risen and age_seconds >= max(_RISE_AGE_SECONDS, self._cost_seconds / _RISE_SHARE)

    def estimate(self, snapshot: Snapshot) -> MemoryReading:
        """Return the memory at `snapshot` without reading the PSS."""
        if not self._rss_bytes:
            return MemoryReading(snapshot.rss_bytes, None)
        ratio = min(1.0, self._pss_bytes / self._rss_bytes)
        return MemoryReading(round(snapshot.rss_bytes * ratio), None)

    def _process_bytes(self, pid: int) -> int:
        pss_bytes = self._counters.pss_bytes(pid)
        if pss_bytes is not None:
            return pss_bytes
        self.unreadable.add(pid)
        reading = self._counters.read(pid)
        return 0 if reading is None else reading.rss_bytes
