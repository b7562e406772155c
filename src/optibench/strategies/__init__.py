"""The two ways to use an engine: many fits side by side, or one fit on all workers.

`benchmark.run` calls the same steps of both (`backend.parallelism=trials` and `data`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from optibench.validation import why_no_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.config.schema import Config
    from optibench.contracts import Engine, EngineTaskMetrics, Scheduler
    from optibench.records import Params
    from optibench.strategies.data_parallel.files import SurveyedFiles
    from optibench.strategies.settings import StrategySettings


class Strategy(Protocol):
    """The steps of a benchmark that depend on how its engine is used."""

    @property
    def scaler(self) -> Any | None:
        """`StandardScaler` fitted on the train part; None where scaling is off."""

    def split(self) -> None:
        """Hold out rows and make the folds.

        Raises:
            DataError: a part cannot be fitted or scored.
        """

    def task_metrics(self, engine: Engine) -> EngineTaskMetrics | None:
        """Return the engine's own metrics of its tasks; None where trials are measured instead."""

    def connect(self, engine: Engine) -> None:
        """Send the data to the workers."""

    def scheduler(self) -> Scheduler:
        """Return the scheduler that runs the units of the search."""

    def refit(self, params: Params) -> Any:
        """Fit the winner on the whole train part and return the estimator."""

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """Score the winner on both parts, and its baselines on the held-out part."""

    def profiles(self) -> list[bytes]:
        """Return the profiles of workers that did not come back with units of the search."""

    def facts(self) -> Mapping[str, Any]:
        """Return parameters of the run that became known during the run."""

    def close(self) -> None:
        """Free the memory that the workers hold; a reusable engine outlives the run."""


def strategy_modules(config: Config) -> tuple[str, ...]:
    """Return the modules that driver and workers import before the clock of a phase starts."""
    parallelism = config.backend.parallelism
    if parallelism == "data" or (parallelism == "auto" and why_no_data(config) is None):
        trainer = f"optibench.backends.{config.backend.name}.{config.model.name}"
        survey = "optibench.strategies.data_parallel.survey"
        return (trainer, survey, "pandas", "pyarrow.dataset")
    return ()


def strategy_for(
    parallelism: str, settings: StrategySettings, files: SurveyedFiles | None
) -> Strategy:
    """Return the strategy that `parallelism` names.

    Args:
        parallelism: trials or data.
        settings: what splits, fits and scores depend on.
        files: the files that workers read themselves; None where the driver holds the table.
    """
    if parallelism == "data":
        from optibench.strategies.data_parallel.strategy import DataParallel

        return DataParallel(settings, files)
    from optibench.strategies.trial_parallel.strategy import TrialParallel

    return TrialParallel(settings)
