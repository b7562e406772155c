"""Check the configuration and turn it into the settings of one run."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from optibench.contracts import SearchFacts
from optibench.evaluation.scoring import METRICS, default_metric, greater_is_better
from optibench.runner.budget import make_budget
from optibench.strategies import strategy_for
from optibench.strategies.settings import EXAMPLE_ROWS, StrategySettings, part_plan
from optibench.validation import validate_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.config.schema import Config
    from optibench.contracts import SearchState
    from optibench.evaluation.parts import PartPlan
    from optibench.records import Dataset, Task
    from optibench.runner.budget import Budget
    from optibench.strategies import Strategy
    from optibench.strategies.data_parallel.files import SurveyedFiles


@dataclass(frozen=True, eq=False)
class RunSettings:
    """A benchmark whose configuration is valid.

    Attributes:
        search: the search that proposes candidates.
        metric: ranks candidates.
        reason: why `backend.parallelism=auto` chose the present value.
    """

    config: Config
    budget: Budget
    search: SearchState
    metric: str
    reason: str = ""

    @property
    def is_trial_parallel(self) -> bool:
        """True where fits run side by side; False where each fit uses all workers."""
        return self.config.backend.parallelism == "trials"

    @property
    def task(self) -> Task:
        """Task of the model."""
        return self.config.model.task

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric of the task."""
        return METRICS[self.task]

    @property
    def part_plan(self) -> PartPlan:
        """Plan of the parts into which a hash divides the rows."""
        evaluation, seed = self.config.evaluation, self.config.top.seed
        return part_plan(evaluation, seed, with_folds=self.search.uses_folds)

    @property
    def n_search_fits(self) -> int:
        """Fits of the search: candidates x folds; 0 for search=none."""
        return self.search.total * self.config.evaluation.folds if self.search.uses_folds else 0


@dataclass(frozen=True, eq=False)
class PreparedRun(RunSettings):
    """A benchmark whose configuration and data are valid.

    Attributes:
        dataset: the whole table, or its first rows where no process holds the whole table.
        scaling: features are standardised on the train part.
        files: the files that workers read themselves; None where the driver holds the table.
    """

    dataset: Dataset = field(kw_only=True)
    scaling: bool = field(kw_only=True)
    files: SurveyedFiles | None = None

    def strategy(self) -> Strategy:
        """Return the strategy that the configuration names, or that `auto` has chosen."""
        config = self.config
        settings = StrategySettings(
            model=config.model,
            search=config.search,
            evaluation=config.evaluation,
            state=self.search,
            dataset=self.dataset,
            scaling=self.scaling,
            metric=self.metric,
            seed=config.top.seed,
            workers=self.budget.workers,
            threads=self.budget.threads,
            profiling=config.profiling.enabled,
        )
        return strategy_for(config.backend.parallelism, settings, self.files)

    def without_rows(self) -> PreparedRun:
        """Return the same run with the first rows of the table only, once it is split."""
        return replace(self, dataset=self.dataset.head(EXAMPLE_ROWS))


def make_settings(config: Config) -> RunSettings:
    """Check everything that can be checked without the data.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    budget = make_budget(config.backend, config.top.cores)
    metric = config.evaluation.metric or default_metric(config.model.task)
    validate_config(config, metric)
    facts = SearchFacts(metric, greater_is_better(metric), config.evaluation.folds)
    search = config.search.start(config.model.params, config.space, facts)
    for candidate in search.examples:
        config.model.check(candidate.params)
    config.backend.check(budget.workers)
    return RunSettings(config, budget, search, metric)


def import_libraries(more: Sequence[str]) -> None:
    """Import what loading and splitting need, and `more`, so that no later phase pays for it."""
    for name in ("pandas", "sklearn.model_selection", "sklearn.preprocessing", *more):
        importlib.import_module(name)
