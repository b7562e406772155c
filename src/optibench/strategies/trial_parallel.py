"""parallelism=trials: the table is shared with every worker, each candidate x fold is a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optibench.evaluation.split import SplitPlan, split
from optibench.measure.processes.machine import available_memory_bytes
from optibench.trials.context import TrialContext
from optibench.trials.refit import evaluate, refit
from optibench.trials.scheduler import Scheduler
from optibench.trials.worker import run_batch
from optibench.validation import validate_split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import Engine
    from optibench.records import Params, Split
    from optibench.runner.settings import PreparedRun

KEEP_PART = 8  # all workers together keep at most this part of the memory for candidates to share


class TrialParallel:
    """Implements `Strategy`."""

    def __init__(self, prepared: PreparedRun) -> None:
        """Begin with the whole table."""
        self._prepared = prepared
        self._parts: Split
        self._engine: Engine
        self._shared: Any

    @property
    def scaler(self) -> Any | None:
        """Of the split."""
        return self._parts.scaler

    def split(self) -> None:
        """By scikit-learn's splitters, in the driver."""
        prepared, config = self._prepared, self._prepared.config
        plan = SplitPlan(
            task=prepared.task,
            settings=config.evaluation,
            scale=prepared.scaling,
            seed=config.top.seed,
            with_folds=prepared.search.uses_folds,
        )
        self._parts = split(prepared.dataset, plan)
        validate_split(config, self._parts, prepared.examples)
        self._prepared = prepared.without_rows()

    def task_metrics(self, engine: Engine) -> None:
        """Each trial is measured where it runs."""

    def connect(self, engine: Engine) -> None:
        """Share the train part; the driver goes on with what the workers see.

        Without a search nothing runs there.
        """
        if not self._prepared.search.uses_folds:
            return
        self._engine, self._shared = engine, engine.share(self._context())
        seen = engine.view(self._shared)
        self._parts = replace(self._parts, X_train=seen.X, y_train=seen.y, folds=())

    def scheduler(self) -> Scheduler:
        """Units to batches to workers."""
        prepared, search = self._prepared, self._prepared.config.search
        limits = (search.target, search.max_seconds, prepared.search.window)
        # With a limit whole candidates are wanted soon, not the longest first.
        in_order = any(limit is not None for limit in limits)
        return Scheduler(self._engine, run_batch, self._shared, in_order=in_order)

    def refit(self, params: Params) -> Any:
        """In the driver."""
        return refit(self._prepared, self._parts, params)

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """In the driver."""
        return evaluate(self._prepared, self._parts, estimator)

    def profiles(self) -> list[bytes]:
        """None: batches bring theirs along."""
        return []

    def close(self) -> None:
        """What was shared goes with the engine, or when it is told to forget."""

    def facts(self) -> Mapping[str, Any]:
        """Nothing that the configuration does not say."""
        return {}

    def _context(self) -> TrialContext:
        prepared, config, parts = self._prepared, self._prepared.config, self._parts
        return TrialContext(
            model=config.model,
            X=parts.X_train,
            y=parts.y_train,
            folds=parts.folds,
            facts=prepared.facts,
            scoring=prepared.scoring,
            metric=prepared.metric,
            seed=config.top.seed,
            threads=prepared.budget.threads,
            profiling=config.profiling.enabled,
            reuse=config.search.reuse,
            cache_bytes=available_memory_bytes() // (KEEP_PART * prepared.budget.workers),
        )
