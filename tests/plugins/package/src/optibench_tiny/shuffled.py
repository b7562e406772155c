"""search=shuffled: points of a grid in an order that is drawn with the seed."""

import random
from dataclasses import dataclass

from optibench.errors import ConfigError
from optibench.search.proposals import FixedProposals
from optibench.search.settings import SearchSettings
from optibench.search.space import Distribution, parse_space


@dataclass(frozen=True, kw_only=True)
class ShuffledSearch(SearchSettings):
    """The first `n_iter` points; None: all."""

    name: str = "shuffled"
    n_iter: int | None = None

    def start(self, params, space, facts):
        """Draw the order.

        Raises:
            ConfigError: the space is empty or holds a distribution.
        """
        from sklearn.model_selection import ParameterGrid

        del facts
        parsed = parse_space(space)
        for key, entry in parsed.items():
            if isinstance(entry, Distribution):
                msg = f"model.space.{key} is a distribution: search=shuffled takes lists."
                raise ConfigError(msg)
        points = list(ParameterGrid(parsed))
        random.Random(self.seed).shuffle(points)
        return FixedProposals(params, points[: self.n_iter])
