"""The Hydra launcher of OptiBench: it runs the jobs of a sweep in turn, each in its own process.

Hydra finds launchers only in the namespace package `hydra_plugins`; optibench.cli.sweep does the
work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


ConfigStore.instance().store(
    group="hydra/launcher",
    name="optibench",
    node={"_target_": "hydra_plugins.optibench_launcher.ProcessLauncher"},
)


class ProcessLauncher(Launcher):
    """Passes the jobs of a sweep to `optibench.cli.sweep`."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store what the jobs are composed from."""
        del task_function  # each job starts the program instead
        self._context = hydra_context
        self._config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs, print their table, and exit with code 1 if one of them failed."""
        from optibench.cli.sweep import jobs_of, run_sweep

        loader = self._context.config_loader
        composed = [loader.load_sweep_config(self._config, list(job)) for job in job_overrides]
        jobs = jobs_of(zip(job_overrides, composed, strict=True), first=initial_job_idx)
        raise SystemExit(run_sweep(jobs, self._config))
