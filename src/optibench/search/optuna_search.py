"""What the searches by Optuna's samplers have in common: their keys, and how they start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.errors import ConfigError
from optibench.search.optuna_library import require_optuna
from optibench.search.optuna_state import OptunaProposals
from optibench.search.settings import SearchSettings
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.samplers import BaseSampler

    from optibench.contracts import SearchFacts
    from optibench.records import Params


@dataclass(frozen=True, kw_only=True)
class OptunaSearch(SearchSettings, ABC):
    """A search that learns from the scores.

    Attributes:
        n_iter: candidates.
        startup: of them drawn at random at first, until so many have a score.
        parallel: candidates under way at a time. With `deterministic` it is their exact number,
            whatever the number of workers: candidate i is drawn when the first i - parallel + 1
            have been told. The results then do not depend on the workers.
        pruner: stops candidates after some of their folds; see `search/pruning.py`.
    """

    n_iter: int = 30
    startup: int = 10
    parallel: int = 4
    pruner: str | None = None

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> OptunaProposals:
        """Begin with nothing asked.

        Raises:
            ConfigError: the space is empty or holds what Optuna does not take, a setting is not
                allowed, or a library is missing.
        """
        self._require_libraries()
        for key in ("n_iter", "startup", "parallel"):
            if getattr(self, key) < 1:
                msg = f"search.{key}={getattr(self, key)}: at least 1 is allowed."
                raise ConfigError(msg)
        return OptunaProposals(self, params, parse_space(space), facts)

    def _require_libraries(self) -> None:
        require_optuna(self.name)

    @abstractmethod
    def sampler(self, number: int) -> BaseSampler:
        """A new sampler for candidate `number`.

        It holds no state from before and is seeded with the number, so that what it draws depends
        on the seed, on what was told and on what is under way alone: an interrupted search that
        is told the same again asks the same.
        """

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
