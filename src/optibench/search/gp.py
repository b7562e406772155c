"""search=gp: Bayesian optimisation with a Gaussian process, by Optuna; requires PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.search.optuna_library import require_torch
from optibench.search.optuna_search import OptunaSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True, kw_only=True)
class GPSearch(OptunaSearch):
    """Gaussian process with the log expected improvement; it ignores pruned candidates."""

    name: str = "gp"

    def sampler(self, number: int) -> BaseSampler:
        """Return a GP sampler, which takes pending candidates into account.

        PyTorch gets one thread, because the workers use the other cores.
        """
        import torch
        from optuna.samplers import GPSampler

        torch.set_num_threads(1)
        return GPSampler(
            n_startup_trials=self.startup,
            seed=self._seed_of(number),
            warn_independent_sampling=False,
        )

    def _require_libraries(self) -> None:
        super()._require_libraries()
        require_torch(self.name)
