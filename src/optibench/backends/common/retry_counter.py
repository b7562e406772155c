"""Count retries after worker loss, on any engine."""

from __future__ import annotations

import threading

from optibench.records import Batch


def units_in(batch: object) -> int:
    """Return the number of search units in a batch; 0 for other kinds of work."""
    return len(batch.units) if isinstance(batch, Batch) else 0


class RetryCounter:
    """A counter that several threads increment."""

    def __init__(self) -> None:
        """Start at 0."""
        self._lock = threading.Lock()
        self.count = 0

    def add(self, number: int) -> None:
        """Add `number` to the count."""
        with self._lock:
            self.count += number
