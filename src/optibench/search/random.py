"""search=random: points of lists and distributions, drawn by scikit-learn's ParameterSampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.search.points import draw_points
from optibench.search.proposals import FixedProposals
from optibench.search.settings import SearchSettings
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import SearchFacts
    from optibench.records import Params


@dataclass(frozen=True, kw_only=True)
class RandomSearch(SearchSettings):
    """Random search over `n_iter` points.

    A space that contains only lists is sampled without replacement, so that at most all its
    points are proposed.
    """

    name: str = "random"
    n_iter: int = 10

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> FixedProposals:
        """Return a search over randomly drawn points.

        Raises:
            ConfigError: the space is empty, or `n_iter` is below 1.
        """
        del facts
        if self.n_iter < 1:
            msg = f"search.n_iter={self.n_iter}: at least 1 candidate must be drawn."
            raise ConfigError(msg)
        return FixedProposals(params, draw_points(parse_space(space), self.n_iter, self.seed))
