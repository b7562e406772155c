"""What each trial of a unit pays, and what it would have paid alone."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.records import Reused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REUSE_ORDER = tuple(Reused)  # the most telling last


class TrialCosts:
    """Implements `contracts.CostAttribution` for the trials of one unit, by their position.

    Attributes:
        fit_seconds, score_seconds: wall time, each shared stretch in equal parts.
        cpu_seconds: of this process, in the same way; they add up to what was really spent.
        standalone_cpu_seconds: the same with every shared stretch in full.
        reused: what each had from others.
    """

    def __init__(self, count: int) -> None:
        """Begin an empty bill for `count` trials."""
        self.fit_seconds = [0.0] * count
        self.score_seconds = [0.0] * count
        self.cpu_seconds = [0.0] * count
        self.standalone_cpu_seconds = [0.0] * count
        self.reused = [Reused.NOTHING] * count

    @contextmanager
    def fit(self) -> Iterator[list[int]]:
        """Time a stretch of fitting; those who share it are added to the list inside."""
        yield from self._timed(self.fit_seconds)

    @contextmanager
    def score(self) -> Iterator[list[int]]:
        """Time a stretch of predicting and scoring."""
        yield from self._timed(self.score_seconds)

    def reuse(self, members: Sequence[int], what: Reused, cpu_seconds: float = 0.0) -> None:
        """Note what members had from others, and what it would have cost each of them."""
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
