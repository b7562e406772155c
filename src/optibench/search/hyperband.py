"""search=hyperband: brackets of successive halving (Li et al. 2018, JMLR 18(185), algorithm 1).

The best number of candidates for a budget is unknown, so each bracket makes another choice: from
many candidates with a small amount of the resource to few candidates with all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from optibench.search.points import draw_points
from optibench.search.rung_settings import RungSettings
from optibench.search.rungs import Bracket
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optibench.contracts import SearchFacts
    from optibench.records import Params
    from optibench.search.points import Point
    from optibench.search.promotion import RungProposals


@dataclass(frozen=True, kw_only=True)
class HyperbandSearch(RungSettings):
    """Hyperband, with one bracket per level of the resource."""

    name: str = "hyperband"

    def start(self, params: Params, space: Mapping[str, Any], facts: SearchFacts) -> RungProposals:
        """Return a search over all brackets of randomly drawn points.

        Raises:
            ConfigError: the space is empty, or a setting of the rungs is not allowed.
        """
        entries = parse_space(space)
        ladder = self.ladder(params, space)
        counts = bracket_sizes(len(ladder.levels), self.factor)
        points = draw_points(entries, sum(counts), self.seed)
        brackets = [
            Bracket(assigned, len(counts) - i, ladder)
            for i, assigned in enumerate(_assign_points(points, counts))
        ]
        return self.proposals(ladder, entries, brackets, facts)


def bracket_sizes(n_brackets: int, factor: int) -> list[int]:
    """Return the number of candidates on the first rung of each bracket, largest first.

    Algorithm 1 has `ceil(B/R * factor**s / (s + 1))` for s from s_max down to 0, where B/R is the
    number of brackets, s_max + 1.
    """
    return [-(-n_brackets * factor**s // (s + 1)) for s in range(n_brackets - 1, -1, -1)]


def _assign_points(points: Sequence[Point], counts: Sequence[int]) -> list[list[Point]]:
    """Return the points of each bracket, without duplicates inside a bracket.

    A space of lists may have fewer points than the brackets need together. Points are then used
    again, because the same point with another amount of the resource is another candidate.
    """
    endless = cycle(points)
    return [list(islice(endless, min(count, len(points)))) for count in counts]
