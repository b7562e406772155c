"""The cost of each trial of a unit: its part of shared work, and its cost without sharing."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.records import Reused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REUSE_ORDER = tuple(Reused)  # from nothing to everything


class TrialCosts:
    """Implements `contracts.CostAttribution`: costs of the trials of one unit, by position.

    Attributes:
        fit_seconds, score_seconds: wall time, with shared intervals divided equally.
        cpu_seconds: CPU time of this process, divided in the same way; the sum is the CPU time
            that was really used.
        standalone_cpu_seconds: the same, with shared intervals counted in full for each trial.
        reused: what each trial reused of others.
    """

    def __init__(self, count: int) -> None:
        """Start with zero costs of `count` trials."""
        self.fit_seconds = [0.0] * count
        self.score_seconds = [0.0] * count
        self.cpu_seconds = [0.0] * count
        self.standalone_cpu_seconds = [0.0] * count
        self.reused = [Reused.NOTHING] * count

    @contextmanager
    def fit(self) -> Iterator[list[int]]:
        """Time an interval of fitting; the caller adds the trials that share it to the list."""
        yield from self._timed(self.fit_seconds)

    @contextmanager
    def score(self) -> Iterator[list[int]]:
        """Time an interval of predicting and scoring, in the same way as `fit`."""
        yield from self._timed(self.score_seconds)

    def reuse(self, members: Sequence[int], what: Reused, cpu_seconds: float = 0.0) -> None:
        """Record what members reused, and the CPU time that it would have cost each of them."""
        for member in members:
            self.reused[member] = max(self.reused[member], what, key=REUSE_ORDER.index)
            self.standalone_cpu_seconds[member] += cpu_seconds

    def _timed(self, seconds: list[float]) -> Iterator[list[int]]:
        sharers: list[int] = []
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield sharers
        finally:
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            for member in sharers:
                seconds[member] += wall / len(sharers)
                self.cpu_seconds[member] += cpu / len(sharers)
                self.standalone_cpu_seconds[member] += cpu
