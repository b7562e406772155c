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
class Slot:
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
        told: how many of its candidates were told, whatever became of them.
        finished: (cost, number, point) of those with a score; a smaller cost is better.
        promoted: the numbers of those that went on.
    """

    size: int
    told: int = 0
    finished: list[tuple[float, int, Point]] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)

    def best(self, count: int) -> list[tuple[float, int, Point]]:
        """The best `count` that finished; of equals the one asked first."""
        return sorted(self.finished, key=lambda entry: entry[:2])[:count]


class Bracket:
    """Points that start together on a first rung and meet on ever smaller ones.

    Attributes:
        base: the level of the ladder that its first rung has.
    """

    def __init__(self, points: Sequence[Point], n_rungs: int, ladder: Ladder) -> None:
        """Lay out at most `n_rungs` rungs, so that the last has the full resource."""
        sizes = rung_sizes(len(points), n_rungs, ladder.factor)
        self.rungs = [Rung(size) for size in sizes]
        self.base = len(ladder.levels) - len(sizes)
        self._factor = ladder.factor
        self._points = list(points)
        self._started = 0
        self._under_way = 0

    @property
    def total(self) -> int:
        """How many candidates it has where each rung waits for the one below."""
        return sum(rung.size for rung in self.rungs)

    @property
    def most(self) -> int:
        """How many candidates it can have at most where rungs do not wait.

        A candidate is promoted once it is among the best so far, so that with results that get
        better and better nearly all of them are. Only where some fail at the full resource, more
        are promoted in their place.
        """
        sizes = [self.rungs[0].size]
        for _ in self.rungs[1:]:
            sizes.append(max(1, sizes[-1] - self._factor + 1))
        return sum(sizes)

    def begin(self) -> Slot | None:
        """The next point of the first rung."""
        if self._started == len(self._points):
            return None
        self._started += 1
        self._under_way += 1
        return Slot(self, 0, self._points[self._started - 1])

    def tell(self, slot: Slot, result: CandidateResult, cost: float) -> None:
        """Note what became of a candidate."""
        self._under_way -= 1
        rung = self.rungs[slot.rung]
        rung.told += 1
        if result.status is Status.FINISHED and math.isfinite(cost):
            rung.finished.append((cost, result.number, slot.point))

    def promote_rung(self, position: int) -> list[Slot]:
        """Those that go on from a rung, once it was told entirely; else none.

        The failed do not go on, so that the next rung may get fewer than its size.
        """
        if (
            position + 1 == len(self.rungs)
            or self.rungs[position].told < self.rungs[position].size
        ):
            return []
        best = self.rungs[position].best(self.rungs[position + 1].size)
        self.rungs[position + 1].size = len(best)
        return [self._promote(position, number, point) for _, number, point in best]

    def promote_one(self) -> Slot | None:
        """One that is in the top 1/factor of its rung so far, of the highest rung that has one.

        That is `get_job` of ASHA (Li et al. 2020, algorithm 2).
        """
        for position in range(len(self.rungs) - 2, -1, -1):
            slot = self._promote_best(position, self.rungs[position].told // self._factor)
            if slot is not None:
                return slot
        return self._promote_last()

    def _promote_last(self) -> Slot | None:
        """Where failures left fewer than `factor` on a rung, the best of them goes on alone.

        Otherwise a bracket could be over without any candidate at the full resource.
        """
        if self._under_way > 0 or self._started < len(self._points) or self.rungs[-1].finished:
            return None
        for position in range(len(self.rungs) - 2, -1, -1):
            slot = self._promote_best(position, len(self.rungs[position].finished))
            if slot is not None:
                return slot
        return None

    def _promote_best(self, position: int, quota: int) -> Slot | None:
        rung = self.rungs[position]
        for _, number, point in rung.best(quota):
            if number not in rung.promoted:
                return self._promote(position, number, point)
        return None

    def _promote(self, position: int, number: int, point: Point) -> Slot:
        self.rungs[position].promoted.add(number)
        self._under_way += 1
        return Slot(self, position + 1, point, continues=number)


def rung_sizes(n_points: int, n_rungs: int, factor: int) -> list[int]:
    """Candidates per rung: `n_points // factor**i`, as in Hyperband's algorithm 1.

    No rung is empty: few points have fewer rungs than `n_rungs`.
    """
    sizes = [n_points // factor**step for step in range(n_rungs)]
    return [size for size in sizes if size]
