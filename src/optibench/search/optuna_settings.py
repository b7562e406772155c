"""The keys of the searches by Optuna's samplers, and the sampler of each candidate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from optibench.errors import ConfigError
from optibench.search.optuna_library import require_optuna
from optibench.search.settings import SearchSettings

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True, kw_only=True)
class OptunaSettings(SearchSettings, ABC):
    """Settings of a search that learns from scores.

    Attributes:
        n_iter: number of candidates.
        startup: number of candidates with a score before the sampler replaces random draws.
        parallel: number of pending candidates, that is, proposed and without a result. With
            `deterministic` it is exact for any number of workers: candidate i is drawn when the
            results of the first i - parallel + 1 candidates have been recorded, so that the
            results do not depend on the workers.
        pruner: stops candidates after some of their folds; see `search/pruning.py`.
    """

    n_iter: int = 30
    startup: int = 10
    parallel: int = 4
    pruner: str | None = None

    def check(self) -> None:
        """Refuse missing libraries and settings that are not allowed.

        Raises:
            ConfigError: a library is missing, or a number is below 1.
        """
        self._require_libraries()
        counts = {"n_iter": self.n_iter, "startup": self.startup, "parallel": self.parallel}
        for key, count in counts.items():
            if count < 1:
                msg = f"search.{key}={count}: at least 1 is allowed."
                raise ConfigError(msg)

    @abstractmethod
    def sampler(self, number: int) -> BaseSampler:
        """Return a new sampler for candidate `number`.

        It has no state from earlier candidates, and its seed includes the number. What it draws
        therefore depends only on the seed, on the results recorded so far and on the pending
        candidates: a resumed search that gets the same results proposes the same candidates.
        """

    def _require_libraries(self) -> None:
        require_optuna(self.name)

    def _seed_of(self, number: int) -> int:
        return int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
