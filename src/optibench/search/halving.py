"""search=halving: successive halving (Jamieson & Talwalkar 2016), or ASHA (Li et al. 2020).

Many candidates start with a small amount of a resource; the best 1/factor of them get factor times
as much, and so on. With search.deterministic=false promotions do not wait for a whole rung (ASHA).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.search.points import draw_points
from optibench.search.rung_settings import RungSettings
from optibench.search.rungs import Bracket
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import SearchFacts
    from optibench.records import Params
    from optibench.search.promotion import RungProposals


@dataclass(frozen=True, kw_only=True)
class HalvingSearch(RungSettings):
    """Successive halving.

    Attributes:
        n_candidates: number of candidates on the first rung; None: the number that leaves one on
            the last. Few candidates need fewer rungs and start with more of the resource.
    """

    name: str = "halving"
    n_candidates: int | None = None

    def start(self, params: Params, space: Mapping[str, Any], facts: SearchFacts) -> RungProposals:
        """Return a search over one bracket of randomly drawn points.

        Raises:
            ConfigError: the space is empty, or a setting of the rungs is not allowed.
        """
        entries = parse_space(space)
        ladder = self.ladder(params, space)
        n_levels = len(ladder.levels)
        n_points = self.n_candidates
        if n_points is None:
            n_points = self.factor ** (n_levels - 1)
        if n_points < 1:
            msg = f"search.n_candidates={n_points}: at least 1 candidate must be drawn."
            raise ConfigError(msg)
        bracket = Bracket(draw_points(entries, n_points, self.seed), n_levels, ladder)
        return self.proposals(ladder, entries, [bracket], facts)
