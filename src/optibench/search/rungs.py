"""Brackets of rungs: who stands on which, and who may go on to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optibench.records import CandidateResult, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.search.points import Point
    from optibench.search.resources import Ladder


@dataclass(frozen=True, eq=False)
class RungEntry:
    """A place of one candidate.

    Attributes:
        rung: its position in the bracket, 0 is the first.
        continues: the number of the candidate that had the same point one rung below.
    """

    bracket: Bracket
    rung: int
    point: Point
    continues: int | None = None


@dataclass
class Rung:
    """One rung of a bracket.

    Attributes:
        size: how many candidates it has where the rung below was told entirely.
        n_results: how many of its candidates were told, whatever became of them.
        finished: (cost, number, point) of those with a score; a smaller cost is better.
        promoted: the numbers of those that went on.
    """

    size: int
    n_results: int = 0
    finished: list[tuple[float, int, Point]] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)

    def best(self, count: int) -> list[tuple[float, int, Point]]:
        """The best `count` that finished; of equals the one asked first."""
        return sorted(self.finished, key=lambda standing: standing[:2])[:count]


class Bracket:
    """Points that start together on a first rung and meet on ever smaller ones.

    Attributes:
        first_level: the level of the ladder that its first rung has.
    """

    def __init__(self, points: Sequence[Point], n_rungs: int, ladder: Ladder) -> None:
        """Lay out at most `n_rungs` rungs, so that the last has the full resource."""
        sizes = rung_sizes(len(points), n_rungs, ladder.factor)
        self.rungs = [Rung(size) for size in sizes]
        self.first_level = len(ladder.levels) - len(sizes)
        self._factor = ladder.factor
        self._points = list(points)
        self._n_started = 0
        self._n_pending = 0

    @property
    def total(self) -> int:
        """How many candidates it has where each rung waits for the one below."""
        return sum(rung.size for rung in self.rungs)

    @property
    def max_total(self) -> int:
        """How many candidates it can have at most where rungs do not wait.

        A candidate is promoted once it is among the best so far, so that with results that get
        better and better nearly all of them are. Only where some fail at the full resource, more
        are promoted in their place.
        """
        sizes = [self.rungs[0].size]
        for _ in self.rungs[1:]:
            sizes.append(max(1, sizes[-1] - self._factor + 1))
        return sum(sizes)

    def start_point(self) -> RungEntry | None:
        """The next point of the first rung."""
        if self._n_started == len(self._points):
            return None
        self._n_started += 1
        self._n_pending += 1
        return RungEntry(self, 0, self._points[self._n_started - 1])

    def record(self, entry: RungEntry, result: CandidateResult, cost: float) -> None:
        """Note what became of a candidate."""
        self._n_pending -= 1
        rung = self.rungs[entry.rung]
        rung.n_results += 1
        if result.status is Status.FINISHED and math.isfinite(cost):
            rung.finished.append((cost, result.number, entry.point))

    def promote_rung(self, position: int) -> list[RungEntry]:
        """Those that go on from a rung, once it was told entirely; else none.

        The failed do not go on, so that the next rung may get fewer than its size.
        """
        if (
            position + 1 == len(self.rungs)
            or self.rungs[position].n_results < self.rungs[position].size
        ):
            return []
        best = self.rungs[position].best(self.rungs[position + 1].size)
        self.rungs[position + 1].size = len(best)
        return [self._promote(position, number, point) for _, number, point in best]

    def promote_one(self) -> RungEntry | None:
        """One that is in the top 1/factor of its rung so far, of the highest rung that has one.

        That is `get_job` of ASHA (Li et al. 2020, algorithm 2).
        """
        for position in range(len(self.rungs) - 2, -1, -1):
            entry = self._promote_best(position, self.rungs[position].n_results // self._factor)
            if entry is not None:
                return entry
        return self._promote_last()

    def _promote_last(self) -> RungEntry | None:
        """Where failures left fewer than `factor` on a rung, the best of them goes on alone.

        Otherwise a bracket could be over without any candidate at the full resource.
        """
        if self._n_pending > 0 or self._n_started < len(self._points) or self.rungs[-1].finished:
            return None
        for position in range(len(self.rungs) - 2, -1, -1):
            entry = self._promote_best(position, len(self.rungs[position].finished))
            if entry is not None:
                return entry
        return None

    def _promote_best(self, position: int, quota: int) -> RungEntry | None:
        rung = self.rungs[position]
        for _, number, point in rung.best(quota):
            if number not in rung.promoted:
                return self._promote(position, number, point)
        return None

    def _promote(self, position: int, number: int, point: Point) -> RungEntry:
        self.rungs[position].promoted.add(number)
        self._n_pending += 1
        return RungEntry(self, position + 1, point, continues=number)


def rung_sizes(n_points: int, n_rungs: int, factor: int) -> list[int]:
    """Candidates per rung: `n_points // factor**i`, as in Hyperband's algorithm 1.

    No rung is empty: few points have fewer rungs than `n_rungs`.
    """
    sizes = [n_points // factor**step for step in range(n_rungs)]
    return [size for size in sizes if size]
