"""The two ways to use an engine: many fits side by side, or one fit on all workers.

Both (`backend.parallelism=trials` and `data`) tell one story, step by step, to `benchmark.run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from optibench.validation import why_no_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.config.schema import Config
    from optibench.contracts import Engine, EngineTaskMetrics, Scheduler
    from optibench.records import Params
    from optibench.runner.settings import PreparedRun


class Strategy(Protocol):
    """A benchmark's steps that depend on how its engine is used."""

    @property
    def scaler(self) -> Any | None:
        """Fitted on the train part; None where scaling is off."""

    def split(self) -> None:
        """Hold out rows and make the folds.

        Raises:
            DataError: a part cannot be fitted or scored.
        """

    def task_metrics(self, engine: Engine) -> EngineTaskMetrics | None:
        """What the engine itself will say of the work; None where it runs only single trials."""

    def connect(self, engine: Engine) -> None:
        """Bring the data to the workers."""

    def scheduler(self) -> Scheduler:
        """What runs the units of the search."""

    def refit(self, params: Params) -> Any:
        """Fit the winner on the whole train part."""

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """Score it on both parts, and its baselines on the held-out one."""

    def profiles(self) -> list[bytes]:
        """What workers have profiled that is not in the schedule's units."""

    def close(self) -> None:
        """Let go of what the workers hold; the engine may outlive the run."""

    def facts(self) -> Mapping[str, Any]:
        """What was found on the way that belongs to the run's parameters."""


def strategy_modules(config: Config) -> tuple[str, ...]:
    """What the driver and every worker import for it before any clock of a phase runs."""
    strategy = config.backend.parallelism
    if strategy == "data" or (strategy == "auto" and why_no_data(config) is None):
        trainer = f"optibench.backends.{config.backend.name}.{config.model.name}"
        return (trainer, "optibench.strategies.data_parallel.survey", "pandas", "pyarrow.dataset")
    return ()


def strategy_for(prepared: PreparedRun) -> Strategy:
    """The way that `backend.parallelism` names, or that `auto` has chosen."""
    if not prepared.is_by_trials:
        from optibench.strategies.data_parallel.strategy import DataParallel

        return DataParallel(prepared)
    from optibench.strategies.trial_parallel import TrialParallel

    return TrialParallel(prepared)
