"""search=tpe: tree-structured Parzen estimators (Bergstra et al. 2011), by Optuna."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.search.optuna_search import OptunaSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True, kw_only=True)
class TPESearch(OptunaSearch):
    """Multivariate TPE."""

    name: str = "tpe"

    def sampler(self, number: int) -> BaseSampler:
        """Return a TPE sampler, which avoids the points of pending candidates."""
        from optuna.samplers import TPESampler

        return TPESampler(
            n_startup_trials=self.startup,
            seed=self._seed_of(number),
            multivariate=True,
            constant_liar=True,
        )
