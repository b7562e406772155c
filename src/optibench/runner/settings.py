"""Settles all before a run is created: budget, search, metric, table; wrong input ends here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.evaluation.parts import PartPlan
from optibench.evaluation.scoring import (
    METRICS,
    ScoringSettings,
    default_metric,
    greater_is_better,
)
from optibench.measure.processes.machine import available_cores, available_memory_bytes
from optibench.records import Candidate, DataFacts, Plan, Task
from optibench.redaction import redact
from optibench.runner.parallelism import ParallelismInputs, choose
from optibench.trials.refit import EXAMPLE_ROWS
from optibench.validation import validate_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.config.schema import Config
    from optibench.contracts import SearchState
    from optibench.records import Dataset
    from optibench.strategies.data_parallel.files import SurveyedFiles

MIB = 1024 * 1024


@dataclass(frozen=True)
class Budget:
    """The cores of a run: workers x threads never exceeds `cores`."""

    cores: int
    workers: int
    threads: int


@dataclass(frozen=True, eq=False)
class RunSettings:
    """A benchmark whose configuration is known to be usable.

    Attributes:
        reason: why backend.parallelism=auto became what it is now.
    """

    config: Config
    budget: Budget
    search: SearchState
    examples: Sequence[Candidate]
    metric: str
    reason: str = ""

    @property
    def is_by_trials(self) -> bool:
        """Fits run side by side; else each runs on all workers."""
        return self.config.backend.parallelism == "trials"

    @property
    def task(self) -> Task:
        """The model's task."""
        return self.config.model.task

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric of the task."""
        return METRICS[self.task]

    @property
    def part_plan(self) -> PartPlan:
        """How rows are dealt out where all workers fit together."""
        evaluation, seed = self.config.evaluation, self.config.top.seed
        return PartPlan(
            seed, evaluation.test_size, evaluation.folds if self.search.uses_folds else 1
        )


@dataclass(frozen=True, eq=False)
class PreparedRun(RunSettings):
    """A benchmark whose configuration and data are known to be usable.

    Attributes:
        dataset: the whole table, or its first rows where nobody holds the whole.
        files: where workers read the table themselves.
    """

    dataset: Dataset = field(kw_only=True)
    scaling: bool = field(kw_only=True)
    files: SurveyedFiles | None = None

    def without_rows(self) -> PreparedRun:
        """The same once the table is split: only the rows of the model's example are left."""
        return replace(self, dataset=self.dataset.head(EXAMPLE_ROWS))

    @property
    def scoring(self) -> ScoringSettings:
        """What the scoring function is told."""
        evaluation, seed = self.config.evaluation, self.config.top.seed
        return ScoringSettings(evaluation.silhouette_sample, seed, len(self.dataset.classes))

    @property
    def facts(self) -> DataFacts:
        """What an estimator factory is told of the data."""
        names, categories = self.dataset.feature_names, self.dataset.categories
        types = tuple("c" if name in categories else "q" for name in names) if categories else None
        return DataFacts(len(self.dataset.classes), types)

    @property
    def n_fits(self) -> int:
        """Fits of the search and of the refit."""
        return 1 + (
            self.search.total * self.config.evaluation.folds if self.search.uses_folds else 0
        )


def make_settings(config: Config) -> RunSettings:
    """Check everything that can be checked without the data.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    budget = make_budget(config)
    metric = config.evaluation.metric or default_metric(config.model.task)
    validate_config(config, metric)
    facts = SearchFacts(metric, greater_is_better(metric), config.evaluation.folds)
    search = config.search.start(config.model.params, config.space, facts)
    for candidate in search.examples:
        config.model.check(candidate.params)
    config.backend.check(budget.workers)
    return RunSettings(config, budget, search, search.examples, metric)


def import_libraries(more: Sequence[str]) -> None:
    """What reading and splitting a table needs, and `more`, so that no phase pays for imports."""
    for name in ("pandas", "sklearn.model_selection", "sklearn.preprocessing", *more):
        importlib.import_module(name)


def _memory(parallelism: str, table_mib: float, workers: int) -> str:
    if parallelism == "data":
        return f"table {table_mib:.1f} MiB, {table_mib / workers:.1f} MiB of it at each worker"
    return (
        f"table {table_mib:.1f} MiB, mapped by all; "
        f"a fit takes about {2 * table_mib:.1f} MiB of its own in each worker"
    )


def make_budget(config: Config) -> Budget:
    """Resolve the one core budget.

    Raises:
        ConfigError: more cores than there are, or more workers x threads than cores.
    """
    usable = _usable_cores(config)
    cores = usable if config.top.cores is None else config.top.cores
    if not 1 <= cores <= usable:
        msg = (
            f"cores={cores}: this process may use {usable}; "
            f"allowed is 1 to {usable}, or null for all."
        )
        raise ConfigError(msg)
    threads = config.backend.threads_per_trial
    if not 1 <= threads <= cores:
        msg = (
            f"backend.threads_per_trial={threads}: "
            f"allowed is 1 to {cores}, the core budget (cores={cores})."
        )
        raise ConfigError(msg)
    workers = cores // threads if config.backend.workers is None else config.backend.workers
    if workers < 1 or workers * threads > cores:
        msg = (
            f"backend.workers={workers} x backend.threads_per_trial={threads} does not fit "
            f"the core budget: allowed is at least 1 worker and workers x threads up to "
            f"cores={cores}."
        )
        raise ConfigError(msg)
    return Budget(cores, workers, threads)


def _usable_cores(config: Config) -> int:
    """Those of this process; of workers elsewhere, those that the configuration asks for."""
    here, backend = available_cores(), config.backend
    if not backend.is_remote:
        return here
    asked = (backend.workers or 0) * backend.threads_per_trial
    return config.top.cores or asked or here


def _hint(prepared: PreparedRun) -> str:
    """Where a search of fits on all workers would end sooner the other way."""
    if prepared.is_by_trials or prepared.config.backend.is_remote:
        return ""
    here, workers = available_memory_bytes(), prepared.budget.workers
    situation = ParallelismInputs(
        table_bytes=8 * prepared.dataset.n_samples * prepared.dataset.X.shape[1],
        worker_bytes=here // workers,
        driver_bytes=here,
        workers=workers,
        fits=prepared.n_fits - 1,
        why_no_data=None,
    )
    if not situation.fits or choose(situation).parallelism == "data":
        return ""
    return (
        f"{prepared.n_fits} fits, none beside another; the table fits into every worker: trials "
        "or auto would mostly be faster"
    )


def make_plan(prepared: PreparedRun) -> Plan:
    """What would run, without running it; of an engine's memory nothing is known then."""
    config, budget, dataset = prepared.config, prepared.budget, prepared.dataset
    rows, columns = dataset.n_samples, dataset.X.shape[1]
    table_mib = 8 * dataset.n_samples * columns / MIB
    folds = f"{config.evaluation.folds} folds" if prepared.search.uses_folds else "no folds"
    engine, parallelism = config.backend.name, config.backend.parallelism
    where = config.backend.location or "this machine"
    why = f" ({told})" if (told := prepared.reason or _hint(prepared)) else ""
    facts = redact(
        {
            "run": config.run_name,
            "model": f"{config.model.name} ({prepared.task}), ranked by {prepared.metric}",
            "data": f"{dataset.name}: {rows} rows x {columns} features, {dataset.source}",
            "scaling": "standardised on the train part" if prepared.scaling else "none",
            "engine": f"{engine} at {where}, parallelism={parallelism}{why}",
            "workers": f"{budget.workers} x {budget.threads} thread(s) of {budget.cores} core(s)",
            "candidates": f"{prepared.search.total} by search={config.search.name}, {folds}",
            "fits": f"{prepared.n_fits}, the refit of the winner included",
            "memory": _memory(parallelism, table_mib, budget.workers),
            "tracking": config.tracking.uri or "MLFLOW_TRACKING_URI, else ./mlruns/mlflow.db",
        }
    )
    return Plan(facts)
