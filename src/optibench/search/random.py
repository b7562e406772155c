"""search=random: points of lists and distributions, drawn by scikit-learn's ParameterSampler."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.search.proposals import FixedProposals
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.records import Params


@dataclass(frozen=True)
class RandomSearch:
    """`n_iter` points.

    They are without repetition where the space has lists only (then at most all of them).
    """

    name: str = "random"
    n_iter: int = 10
    seed: int = 0

    def start(self, params: Params, space: Mapping[str, Any]) -> FixedProposals:
        """Draw the points.

        Raises:
            ConfigError: the space is empty, or `n_iter` is below 1.
        """
        from sklearn.model_selection import ParameterSampler

        if self.n_iter < 1:
            msg = f"search.n_iter={self.n_iter}: at least 1 candidate must be drawn."
            raise ConfigError(msg)
        sampler = ParameterSampler(parse_space(space), n_iter=self.n_iter, random_state=self.seed)
        with warnings.catch_warnings():
            # A list-only space smaller than n_iter is walked whole; plan=true and n_candidates
            # tell so.
            warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)
            return FixedProposals(params, list(sampler))


PLUGIN = RandomSearch
