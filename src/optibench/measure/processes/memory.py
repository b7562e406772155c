"""How much memory the tree uses: its proportional set size, read seldom, peaks not missed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from optibench.measure.processes.counters import Counters
    from optibench.measure.processes.tree import Look

_RISE = 1.05
_RISE_AGE_SECONDS = 0.5
# Of one core: a gigabyte in 4 kB pages takes 25 ms, which every 2 s would be more than 1 %.
_REGULAR_SHARE = 0.005
_RISE_SHARE = 0.04


class Weight(NamedTuple):
    """Memory of the tree at one moment.

    Attributes:
        memory_bytes: the PSS where it was read, else an estimate: the RSS times what PSS/RSS was
            last.
        pss_bytes: proportional set size, shared pages once; None where it was not read at this
            moment.
    """

    memory_bytes: int
    pss_bytes: int | None


class MemoryGauge:
    """Reads the PSS when due: the kernel walks all page tables, 1-5 ms a process."""

    def __init__(self, counters: Counters) -> None:
        """Read through `counters`; nothing is read yet."""
        self._counters = counters
        self._lock = threading.Lock()
        self._read_seconds = float("-inf")
        self._rss_bytes = 0
        self._pss_bytes = 0
        self._highest_rss_bytes = 0
        self._cost_seconds = 0.0
        self.unreadable: set[int] = set()

    def weigh(self, look: Look, max_age_seconds: float) -> Weight:
        """Say the memory at `look`.

        The PSS is read where the last reading is older than `max_age_seconds`, and also (at most
        twice a second) where the RSS is more than 5 % above the highest at which it was read: a
        peak is not missed in between. Where a reading is expensive, it is made less often.
        """
        with self._lock:
            if not self._is_due(look, max_age_seconds):
                return self.estimate(look)
            begin_seconds = time.thread_time()
            pss_bytes = sum(self._process_bytes(pid) for pid in look.pids)
            self._cost_seconds = time.thread_time() - begin_seconds
            self._read_seconds = look.seconds
            self._rss_bytes, self._pss_bytes = look.rss_bytes, pss_bytes
            self._highest_rss_bytes = max(self._highest_rss_bytes, look.rss_bytes)
            return Weight(pss_bytes, pss_bytes)

    def _is_due(self, look: Look, max_age_seconds: float) -> bool:
        age_seconds = look.seconds - self._read_seconds
        if age_seconds >= max(max_age_seconds, self._cost_seconds / _REGULAR_SHARE):
            return True
        risen = look.rss_bytes > self._highest_rss_bytes * _RISE
        return risen and age_seconds >= max(_RISE_AGE_SECONDS, self._cost_seconds / _RISE_SHARE)

    def estimate(self, look: Look) -> Weight:
        """Say the memory at `look` without reading anything."""
        if not self._rss_bytes:
            return Weight(look.rss_bytes, None)
        return Weight(round(look.rss_bytes * min(1.0, self._pss_bytes / self._rss_bytes)), None)

    def _process_bytes(self, pid: int) -> int:
        pss_bytes = self._counters.pss_bytes(pid)
        if pss_bytes is not None:
            return pss_bytes
        self.unreadable.add(pid)
        reading = self._counters.read(pid)
        return 0 if reading is None else reading.rss_bytes
