"""search=grid: every point of a space of lists, in the order of scikit-learn's ParameterGrid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.search.proposals import FixedProposals
from optibench.search.settings import SearchSettings
from optibench.search.space import Distribution, parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import SearchFacts
    from optibench.records import Params


@dataclass(frozen=True, kw_only=True)
class GridSearch(SearchSettings):
    """Exhaustive search; `seed` has no effect, but every search has this key."""

    name: str = "grid"

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> FixedProposals:
        """Return a search that proposes every point of `space`.

        Raises:
            ConfigError: the space is empty or contains a distribution.
        """
        from sklearn.model_selection import ParameterGrid

        del facts

        parsed = parse_space(space)
        continuous = [key for key, entry in parsed.items() if isinstance(entry, Distribution)]
        if continuous:
            msg = (
                f"model.space.{continuous[0]} is a distribution, and search=grid accepts "
                "only lists: give a list, or use search=random."
            )
            raise ConfigError(msg)
        return FixedProposals(params, ParameterGrid(parsed))
