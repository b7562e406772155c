"""Counts what was run again because a worker was lost, on any engine."""

from __future__ import annotations

import threading

from optibench.records import Batch


def units_in(batch: object) -> int:
    """How many units of the search a batch has; other work has none."""
    return len(batch.units) if isinstance(batch, Batch) else 0


class RetryCounter:
    """A number that several threads add to."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self._lock = threading.Lock()
        self.count = 0

    def add(self, number: int) -> None:
        """Count more."""
        with self._lock:
            self.count += number
