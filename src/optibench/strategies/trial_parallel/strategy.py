"""Share the table with every worker, and run each candidate on each fold as a fit of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optibench.evaluation.split import SplitPlan, split
from optibench.measure.processes.machine import available_memory_bytes
from optibench.strategies.trial_parallel.refit import evaluate, refit
from optibench.trials.context import TrialContext
from optibench.trials.scheduler import TrialScheduler
from optibench.trials.worker import run_batch
from optibench.validation import validate_split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import Engine, SharedValue
    from optibench.records import Params, Split
    from optibench.strategies.settings import StrategySettings

CACHE_FRACTION = 8  # the caches of all workers together take at most this fraction of the memory


class TrialParallel:
    """Implements `Strategy`."""

    def __init__(self, settings: StrategySettings) -> None:
        """Begin with the whole table."""
        self._settings = settings
        self._parts: Split
        self._engine: Engine
        self._shared: SharedValue[TrialContext]

    @property
    def scaler(self) -> Any | None:
        """Scaler of the split."""
        return self._parts.scaler

    def split(self) -> None:
        """Split the table in the driver with scikit-learn's splitters."""
        settings = self._settings
        plan = SplitPlan(
            task=settings.task,
            settings=settings.evaluation,
            scale=settings.scaling,
            seed=settings.seed,
            with_folds=settings.state.uses_folds,
        )
        self._parts = split(settings.dataset, plan)
        validate_split(settings.model, self._parts, settings.state.examples, settings.seed)
        self._settings = settings.without_rows()

    def task_metrics(self, engine: Engine) -> None:
        """Return None: each trial is measured where it runs."""

    def connect(self, engine: Engine) -> None:
        """Share the train part; the driver then uses the same memory-mapped arrays.

        Without a search no worker needs the data.
        """
        if not self._settings.state.uses_folds:
            return
        self._engine, self._shared = engine, engine.share(self._context())
        shared = self._shared.view()
        self._parts = replace(self._parts, X_train=shared.X, y_train=shared.y, folds=())

    def scheduler(self) -> TrialScheduler[TrialContext]:
        """Return the scheduler that sends batches of units to free workers."""
        search = self._settings.search
        limits = (search.target, search.max_seconds, self._settings.state.window)
        # A limited search needs complete candidates early, rather than the longest units first.
        in_order = any(limit is not None for limit in limits)
        return TrialScheduler(self._engine, run_batch, self._shared, in_order=in_order)

    def refit(self, params: Params) -> Any:
        """Fit the winner in the driver."""
        return refit(self._settings, self._parts, params)

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """Score the winner and its baselines in the driver."""
        return evaluate(self._settings, self._parts, estimator)

    def profiles(self) -> list[bytes]:
        """Return none: each batch brings its own profile."""
        return []

    def facts(self) -> Mapping[str, Any]:
        """Return none: the configuration says everything."""
        return {}

    def close(self) -> None:
        """Do nothing: shared data is freed with the engine, or when it is prepared for reuse."""

    def _context(self) -> TrialContext:
        settings, parts = self._settings, self._parts
        return TrialContext(
            model=settings.model,
            X=parts.X_train,
            y=parts.y_train,
            folds=parts.folds,
            facts=settings.facts,
            scoring=settings.scoring,
            metric=settings.metric,
            seed=settings.seed,
            threads=settings.threads,
            profiling=settings.profiling,
            reuse=settings.search.reuse,
            cache_bytes=available_memory_bytes() // (CACHE_FRACTION * settings.workers),
        )
