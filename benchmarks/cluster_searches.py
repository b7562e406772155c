"""Searches on a cluster, as our program makes them and as the libraries of the engines do.

The rows of a table have their folds in a column: those that our program gives them; what is held
out is left out. Each opener keeps its engine up and gives a function that times one search, from
the files to the winner fitted on all rows.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.engines import Outcome, dask_client, spark_session
from benchmarks.tables import LABEL, PART
from optibench.models.kmeans_distributed import DistributedKMeans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TREES = 50
ITERATIONS = 20
HALF = 0.5
HEAP = "4g"  # of the JVM, which has 1 GB of its own accord

SPARK_NAMES = {
    "max_depth": "max_depth",
    "eta": "learning_rate",
    "n_clusters": "k",
    "init": "initMode",
    "max_iter": "maxIter",
}


@dataclass(frozen=True)
class ClusterSearch:
    """A grid on a table in files.

    Attributes:
        folder: of the files.
        grid: by our names.
        ours: overrides that make our program search it.
    """

    folder: Path
    model: str
    grid: dict[str, list[Any]]
    folds: int
    ours: tuple[str, ...]


def candidates_of(search: ClusterSearch) -> list[dict[str, Any]]:
    """In the order in which Spark's ParamGridBuilder has them, and the rows here their scores."""
    names = list(search.grid)
    return [dict(zip(names, each, strict=True)) for each in product(*search.grid.values())]


def _key(params: Mapping[str, Any], grid: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(params[name] for name in grid)


@contextmanager
def open_ours(backend: str, search: ClusterSearch, cores: int) -> Iterator[Callable[[], Outcome]]:
    """Open OptiBench, which scores all metrics of the task."""
    import optibench

    heap = [f"+backend.conf.spark.driver.memory={HEAP}"] if backend == "spark" else []
    space = [f"model.space.{name}={values}" for name, values in search.grid.items()]
    quiet = ["progress=false", "profiling=off", "tracking.children=false"]
    settings = [
        *(f"model={search.model}", f"backend={backend}", "backend.keep_alive=true"),
        *(f"cores={cores}", "search=grid", f"evaluation.folds={search.folds}"),
        *(heap + space + quiet),
        *search.ours,
    ]
    parts = [f"{phase}_seconds" for phase in ("load", "split", "search", "fit")]

    def run() -> Outcome:
        result = optibench.run(settings)
        winner = {name: result.best_params[name] for name in search.grid}
        found = {_key(c.params, search.grid): c for c in result.candidates}
        order = (_key(params, search.grid) for params in candidates_of(search))
        scores = tuple(found[key].mean_scores[result.metric] for key in order)
        seconds = sum(result.metrics[part] for part in parts)
        told = result.metrics["tracking_seconds"]
        return Outcome(seconds, result.metrics["best_cv_score"], winner, scores, told)

    try:
        yield run
    finally:
        optibench.release_engine()


@contextmanager
def open_cross_validator(search: ClusterSearch, cores: int) -> Iterator[Callable[[], Outcome]]:
    """pyspark.ml's CrossValidator, which caches each fold; one metric."""
    with spark_session(cores, {"spark.driver.memory": HEAP}) as session:
        from pyspark.ml.feature import VectorAssembler
        from pyspark.ml.tuning import CrossValidator, ParamGridBuilder

        estimator, evaluator = _spark_parts(search.model, cores)
        builder = ParamGridBuilder()
        for name, values in search.grid.items():
            builder = builder.addGrid(getattr(estimator, SPARK_NAMES[name]), _in_spark(values))
        grid = builder.build()

        def run() -> Outcome:
            start = perf_counter()
            table = session.read.parquet(str(search.folder))
            table = table.where(table[PART] >= 0).withColumn(PART, table[PART].cast("int"))
            names = [name for name in table.columns if name not in (PART, LABEL)]
            table = VectorAssembler(inputCols=names, outputCol="features").transform(table)
            validator = CrossValidator(
                estimator=estimator,
                estimatorParamMaps=grid,
                evaluator=evaluator,
                numFolds=search.folds,
                foldCol=PART,
            )
            scores = validator.fit(table).avgMetrics
            best = int(np.argmax(scores))
            winner = {param.name: value for param, value in grid[best].items()}
            return Outcome(perf_counter() - start, float(scores[best]), winner, tuple(scores))

        yield run


@contextmanager
def open_xgboost_loop(search: ClusterSearch, cores: int) -> Iterator[Callable[[], Outcome]]:
    """`xgboost.dask.train` for every candidate on every fold; one matrix of each fold's rows."""
    from dask import dataframe
    from xgboost import dask as boosting

    candidates = candidates_of(search)
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1}

    with dask_client(cores) as client:

        def train(params: dict[str, Any], matrix: Any) -> Any:
            told = boosting.train(client, {**fixed, **params}, matrix, num_boost_round=TREES)
            return told["booster"]

        def run() -> Outcome:
            start = perf_counter()
            table = dataframe.read_parquet(str(search.folder))
            table = table[table[PART] >= 0].persist()
            features = [name for name in table.columns if name not in (PART, LABEL)]

            def matrix_of(rows: Any) -> Any:
                return boosting.DaskQuantileDMatrix(client, rows[features], rows[LABEL])

            scores = np.zeros((len(candidates), search.folds))
            for fold in range(search.folds):
                matrix = matrix_of(table[table[PART] != fold].persist())
                rows = table[table[PART] == fold].persist()
                truth = rows[LABEL].compute().to_numpy()
                for number, params in enumerate(candidates):
                    booster = train(params, matrix)
                    found = boosting.predict(client, booster, rows[features]).compute()
                    scores[number, fold] = np.mean((np.asarray(found) > HALF) == truth)
            means = scores.mean(axis=1)
            best = int(np.argmax(means))
            train(candidates[best], matrix_of(table))
            seconds = perf_counter() - start
            return Outcome(seconds, float(means[best]), candidates[best], tuple(map(float, means)))

        yield run


def _spark_parts(model: str, cores: int) -> tuple[Any, Any]:
    """Return the estimator and the evaluator of Spark ML."""
    from pyspark.ml import clustering, evaluation

    if model == "kmeans":
        # As many rounds of k-means|| as ours. Within 20 iterations its tolerance stops few.
        estimator = clustering.KMeans(
            maxIter=ITERATIONS, seed=0, initSteps=DistributedKMeans.rounds
        )
        return estimator, evaluation.ClusteringEvaluator()
    from xgboost.spark import SparkXGBClassifier

    estimator = SparkXGBClassifier(num_workers=cores, n_estimators=TREES, tree_method="hist")
    return estimator, evaluation.MulticlassClassificationEvaluator(metricName="accuracy")


def _in_spark(values: list[Any]) -> list[Any]:
    return ["k-means||" if value == "k-means++" else value for value in values]
