"""The rows of the comparison: each opens its engine and gives a function that times one search.

Each row lives in a process of its own, since a process has only one Spark session and one default
Dask client.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import GridSearchCV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.grids import Study


@dataclass(frozen=True)
class Outcome:
    """One search: how long it took, and what it found.

    Attributes:
        seconds: wall time of the search, engine start and refit excluded.
        score, params: of the winner.
        scores: the mean score of each candidate, in the order of the grid.
        tracking_seconds: of our runs: how long logging held up the driver; 0 for the others.
    """

    seconds: float
    score: float
    params: dict[str, Any]
    scores: tuple[float, ...]
    tracking_seconds: float = 0.0


@contextmanager
def open_sklearn(study: Study, cores: int) -> Iterator[Callable[[], Outcome]]:
    """GridSearchCV on joblib's own processes (loky), the ranking metric alone."""
    with _loky():
        yield partial(_grid_search, study, cores)


@contextmanager
def open_sklearn_all_metrics(study: Study, cores: int) -> Iterator[Callable[[], Outcome]]:
    """Open GridSearchCV that scores every metric of the task, as OptiBench does."""
    with _loky():
        yield partial(_grid_search, study, cores, scoring=study.score_all)


@contextmanager
def open_joblib_dask(study: Study, cores: int) -> Iterator[Callable[[], Outcome]]:
    """GridSearchCV whose joblib tasks run on a Dask cluster."""
    with dask_client(cores), parallel_config("dask"):
        yield partial(_grid_search, study, cores)


@contextmanager
def open_dask_ml(study: Study, cores: int) -> Iterator[Callable[[], Outcome]]:
    """dask-ml's own GridSearchCV, which shares the fitted parts of equal candidates."""
    from dask_ml.model_selection import GridSearchCV as DaskGridSearchCV

    def search() -> Outcome:
        grid = DaskGridSearchCV(
            study.estimator, study.grid, scoring=study.score, cv=study.folds, refit=False
        )
        return _timed(grid, study, "score")

    with dask_client(cores):
        yield search


@contextmanager
def open_joblibspark(study: Study, cores: int) -> Iterator[Callable[[], Outcome]]:
    """GridSearchCV whose joblib tasks run as Spark jobs."""
    from joblibspark import register_spark

    register_spark()
    with spark_session(cores), parallel_config("spark", n_jobs=cores):
        yield partial(_grid_search, study, None)


@contextmanager
def open_ours(
    backend: str, study: Study, cores: int, *overrides: str
) -> Iterator[Callable[[], Outcome]]:
    """Open OptiBench with an engine that stays up between runs, as those of the others do."""
    import optibench

    settings = [
        f"model={study.model}",
        f"backend={backend}",
        "backend.keep_alive=true",
        "search=grid",
        *study.dataset,
        f"cores={cores}",
        "progress=false",
        "profiling=off",
        "tracking.children=false",
        *overrides,
    ]

    def search() -> Outcome:
        result = optibench.run(settings)
        winner = {name: result.best_params[name] for name in study.grid}
        seconds, score = (result.metrics[key] for key in ("search_seconds", "best_cv_score"))
        scores = tuple(c.mean_scores[result.metric] for c in result.candidates)
        return Outcome(seconds, score, winner, scores, result.metrics["tracking_seconds"])

    try:
        yield search
    finally:
        optibench.release_engine()


def open_plain(
    backend: str, study: Study, cores: int
) -> AbstractContextManager[Callable[[], Outcome]]:
    """Open OptiBench without sharing between candidates."""
    return open_ours(backend, study, cores, "search.reuse=false")


def _grid_search(study: Study, n_jobs: int | None, scoring: Any = None) -> Outcome:
    """One GridSearchCV on whatever joblib backend is active."""
    grid = GridSearchCV(
        study.estimator,
        study.grid,
        scoring=scoring or study.score,
        cv=study.folds,
        refit=False,
        n_jobs=n_jobs,
        error_score="raise",
    )
    return _timed(grid, study, study.metric if scoring else "score")


def _timed(search: Any, study: Study, metric: str) -> Outcome:
    """Fit a search and read its winner: the first of the best, in the order of the grid."""
    start = perf_counter()
    search.fit(study.X, study.y)
    seconds = perf_counter() - start
    scores = np.asarray(search.cv_results_[f"mean_test_{metric}"])
    best = int(np.argmax(scores))
    return Outcome(
        seconds, float(scores[best]), search.cv_results_["params"][best], tuple(map(float, scores))
    )


@contextmanager
def _loky() -> Iterator[None]:
    """End joblib's processes, which would otherwise wait five minutes for more work."""
    try:
        yield
    finally:
        get_reusable_executor().shutdown()


@contextmanager
def dask_client(cores: int) -> Iterator[Any]:
    """Open a warm cluster of processes with one thread each, as this process's default client."""
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=cores, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    )
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def spark_session(cores: int, conf: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Open a Spark session on this machine that prints no logs."""
    from pyspark.sql import SparkSession

    from optibench.backends.spark.java import find_java_home

    os.environ["JAVA_HOME"] = str(find_java_home().path)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        **(conf or {}),
    }
    builder = SparkSession.builder.master(f"local[{cores},4]").config(map=settings)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()
