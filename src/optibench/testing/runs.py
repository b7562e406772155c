"""Small benchmarks of a plug-in, with built-in ones for the rest, tracked in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from optibench.backends.common import reuse
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.models.kmeans import KMeans
from optibench.models.random_forest import RandomForest
from optibench.models.xgboost_regression import XGBoostRegression
from optibench.records import Task
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Backend, DatasetSource, Model, Search
    from optibench.records import Result

WORKERS = 2
FOLDS = 3
QUICK = ("profiling=off", "progress=false", "evaluation.default_fit=false")
TABLES = {
    Task.CLASSIFICATION: "dataset=iris",
    Task.REGRESSION: "dataset=diabetes",
    Task.CLUSTERING: "dataset=iris",
}


class EngineUser:
    """A test class that leaves an engine up from one test to the next."""

    @classmethod
    def teardown_class(cls) -> None:
        """Close the engine after the last test of the class."""
        reuse.release()


class Plugins(NamedTuple):
    """The plug-ins of a benchmark that take the place of built-in ones."""

    model: Model | None = None
    search: Search | None = None
    dataset: DatasetSource | None = None
    backend: Backend | None = None


def configured(plugins: Plugins, task: Task, overrides: Sequence[str] = ()) -> Config:
    """Configure a small benchmark.

    Args:
        plugins: used as they are, whether an installed package declares them or not.
        task: of the built-in model and table.
        overrides: more of them, for what is built in.
    """
    words = [TABLES[task], f"evaluation.folds={FOLDS}", *QUICK, *overrides]
    config = resolve(compose(words))
    return replace(
        config,
        model=plugins.model or quick_model(task),
        search=plugins.search or config.search,
        dataset=plugins.dataset or config.dataset,
        backend=plugins.backend or config.backend,
    )


def quick_model(task: Task) -> Model:
    """Return a built-in model with few candidates, which is fitted in milliseconds."""
    if task is Task.CLASSIFICATION:
        return RandomForest(params={"n_estimators": 5}, space={"max_depth": [2, 4]})
    if task is Task.REGRESSION:
        return XGBoostRegression(params={"n_estimators": 5}, space={"max_depth": [2, 4]})
    return KMeans(params={"n_init": 2}, space={"n_clusters": [2, 3]})


def engine_words(backend: str) -> list[str]:
    """Return the overrides for a built-in backend whose engine stays up for the next benchmark."""
    return [f"backend={backend}", f"backend.workers={WORKERS}", "backend.keep_alive=true"]


def run(config: Config) -> tuple[Result, MemoryTracker]:
    """Run a benchmark; return its result and what was written of it."""
    tracker = MemoryTracker()
    return benchmark.run(config, tracker=tracker), tracker
