"""Brackets of rungs: which candidates are on each rung, and which are promoted to the next."""

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
    """A candidate on a rung.

    Attributes:
        rung: index of the rung in the bracket, 0 is the first.
        continues: number of the candidate with the same point one rung below.
    """

    bracket: Bracket
    rung: int
    point: Point
    continues: int | None = None


@dataclass
class Rung:
    """One rung of a bracket.

    Attributes:
        size: number of its candidates once all of the rung below have a result.
        n_results: number of its candidates with a result, failed ones included.
        finished: (cost, number, point) of the candidates with a score; a smaller cost is better.
        promoted: numbers of the promoted candidates.
    """

    size: int
    n_results: int = 0
    finished: list[tuple[float, int, Point]] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)

    def best(self, count: int) -> list[tuple[float, int, Point]]:
        """Return the best `count` finished candidates; ties go to the one proposed first."""
        return sorted(self.finished, key=lambda standing: standing[:2])[:count]


class Bracket:
    """Points that start together on a first rung; each further rung has fewer of them.

    Attributes:
        first_level: index of the ladder's level on the first rung.
    """

    def __init__(self, points: Sequence[Point], n_rungs: int, ladder: Ladder) -> None:
        """Create at most `n_rungs` rungs, of which the last has the full resource."""
        sizes = rung_sizes(len(points), n_rungs, ladder.factor)
        self.rungs = [Rung(size) for size in sizes]
        self.first_level = len(ladder.levels) - len(sizes)
        self._factor = ladder.factor
        self._points = list(points)
        self._n_started = 0
        self._n_pending = 0

    @property
    def total(self) -> int:
        """Number of candidates if each rung waits for the one below."""
        return sum(rung.size for rung in self.rungs)

    @property
    def max_total(self) -> int:
        """Largest number of candidates if rungs do not wait.

        A candidate is promoted once it is among the best so far, so that nearly all are promoted
        if results improve all the time. More are promoted only to replace candidates that fail
        at the full resource.
        """
        sizes = [self.rungs[0].size]
        for _ in self.rungs[1:]:
            sizes.append(max(1, sizes[-1] - self._factor + 1))
        return sum(sizes)

    def start_point(self) -> RungEntry | None:
        """Return the next point on the first rung, or None if all have started."""
        if self._n_started == len(self._points):
            return None
        self._n_started += 1
        self._n_pending += 1
        return RungEntry(self, 0, self._points[self._n_started - 1])

    def record(self, entry: RungEntry, result: CandidateResult, cost: float) -> None:
        """Record the result of a candidate."""
        self._n_pending -= 1
        rung = self.rungs[entry.rung]
        rung.n_results += 1
        if result.status is Status.FINISHED and math.isfinite(cost):
            rung.finished.append((cost, result.number, entry.point))

    def promote_rung(self, position: int) -> list[RungEntry]:
        """Return the promotions from a rung once all its candidates have a result, else none.

        Failed candidates are not promoted, so that the next rung may get fewer than its size.
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
        """Promote a candidate in the top 1/factor of its rung so far, from the highest rung first.

        This is `get_job` of ASHA (Li et al. 2020, algorithm 2).
        """
        for position in range(len(self.rungs) - 2, -1, -1):
            entry = self._promote_best(position, self.rungs[position].n_results // self._factor)
            if entry is not None:
                return entry
        return self._promote_last()

    def _promote_last(self) -> RungEntry | None:
        """Promote the best candidate of a rung on which failures left fewer than `factor`.

        Otherwise a bracket could end without any candidate at the full resource.
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
    """Return the candidates per rung: `n_points // factor**i`, as in Hyperband's algorithm 1.

    Empty rungs are left out, so that few points have fewer rungs than `n_rungs`.
    """
    sizes = [n_points // factor**step for step in range(n_rungs)]
    return [size for size in sizes if size]
