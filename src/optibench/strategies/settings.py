"""What a strategy knows of the benchmark that it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optibench.datasets.encoding import data_facts
from optibench.evaluation.parts import PartPlan
from optibench.evaluation.scoring import METRICS, ScoringSettings

if TYPE_CHECKING:
    from optibench.contracts import Evaluation, Model, Search, SearchState
    from optibench.records import DataFacts, Dataset, Task

EXAMPLE_ROWS = 5  # rows of the table that the logged model has as its input example


@dataclass(frozen=True, eq=False)
class StrategySettings:
    """The values of one benchmark that its splits, fits and scores depend on.

    Attributes:
        model, search, evaluation: as configured.
        state: the search that proposes candidates.
        dataset: the whole table, or its first rows where no process holds the whole table.
        scaling: features are standardised on the train part.
        metric: ranks candidates.
        seed: of splits, folds and estimators.
        workers: number of workers.
        threads: threads of each worker.
        profiling: workers and driver run under cProfile.
    """

    model: Model
    search: Search
    evaluation: Evaluation
    state: SearchState
    dataset: Dataset
    scaling: bool
    metric: str
    seed: int
    workers: int
    threads: int
    profiling: bool

    def without_rows(self) -> StrategySettings:
        """Return the settings with the first rows of the table only, once it is split."""
        return replace(self, dataset=self.dataset.head(EXAMPLE_ROWS))

    @property
    def task(self) -> Task:
        """Task of the model."""
        return self.model.task

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric of the task."""
        return METRICS[self.task]

    @property
    def part_plan(self) -> PartPlan:
        """Plan of the parts into which a hash divides the rows."""
        return part_plan(self.evaluation, self.seed, with_folds=self.state.uses_folds)

    @property
    def scoring(self) -> ScoringSettings:
        """Settings of the scoring function."""
        n_classes = len(self.dataset.classes)
        return ScoringSettings(self.evaluation.silhouette_sample, self.seed, n_classes)

    @property
    def facts(self) -> DataFacts:
        """Facts of the data that an estimator needs to be made."""
        return data_facts(self.dataset)


def part_plan(evaluation: Evaluation, seed: int, *, with_folds: bool) -> PartPlan:
    """Return the plan of the parts into which a hash divides the rows of a table."""
    return PartPlan(seed, evaluation.test_size, evaluation.folds if with_folds else 1)
