"""search=gp: Bayesian optimisation with a Gaussian process, by Optuna; it needs PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.search.optuna_library import require_torch
from optibench.search.optuna_search import OptunaSearch

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True, kw_only=True)
class GPSearch(OptunaSearch):
    """A Gaussian process with the log expected improvement; it learns nothing from pruned ones."""

    name: str = "gp"

    def sampler(self, number: int) -> BaseSampler:
        """A GP sampler, which takes account of the candidates under way.

        PyTorch gets one thread: the other cores are the workers'.
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


PLUGIN = GPSearch
