"""A Spark standalone master that somebody else has started, on what seems to be another machine.

Runs with the same settings share a session, to which the master gives another executor where a
test has killed one.
"""

import threading
import time

import psutil
import pytest
from tests.backends.clusters import another_machine, cluster, run
from tests.backends.given_runs import (
    BY_TRIALS,
    CLUSTERS,
    KEEP,
    OWN,
    TREES,
    assert_clusters_are_found,
    scores,
)
from tests.backends.heavy_runs import TUNED, assert_workers_are_in, heavy_run, write_module

import optibench
from optibench.backends.spark.kmeans import SparkKMeans
from optibench.backends.spark.partitions import SparkPartitions


@pytest.fixture(scope="module")
def spark_master(tmp_path_factory):
    compatibility = another_machine(tmp_path_factory.mktemp("spark"))
    with cluster("spark", "--workers", "2", **compatibility) as word:
        yield word


@pytest.fixture(scope="module")
def clusters(spark_master):
    return assert_clusters_are_found("backend=spark", KEEP, spark_master)


@pytest.fixture(scope="module")
def heavy_on_spark(spark_master, tmp_path_factory):
    optibench.release_engine()  # which would hold the cores of the cluster
    return heavy_run(tmp_path_factory.mktemp("heavy"), "backend=spark", spark_master)


@pytest.mark.spark
def test_the_executor_of_a_given_spark_master_is_in_the_resources(heavy_on_spark):
    recorded, looks = heavy_on_spark
    assert_workers_are_in(recorded, looks)
    ((*_, last),) = looks.values()
    assert int(last[-1]) == 4  # the JVM, PySpark's daemon and two workers
    assert "the master" in recorded["notes"]


@pytest.mark.spark
def test_trials_of_a_lost_executor_are_run_again(
    spark_master, heavy_on_spark, tmp_path, monkeypatch
):
    plain, _ = heavy_on_spark
    victim, killed = "psutil.Process().parent().parent()", tmp_path / "killed"
    write_module(tmp_path, mark=killed, victim=victim)
    monkeypatch.syspath_prepend(tmp_path)
    result, _ = run(*TUNED, "backend=spark", KEEP, spark_master)
    assert killed.exists()
    assert scores(result) == plain["scores"]
    assert result.metrics["units_run_again"] >= 1


@pytest.mark.spark
@pytest.mark.parametrize(("model", "words"), BY_TRIALS)
def test_a_given_spark_master_gives_the_same_scores(expected, spark_master, model, words):
    result, tracker = run(*words, "backend=spark", KEEP, spark_master)
    assert scores(result) == expected[model]
    assert OWN in tracker.params["measurement_notes"]


@pytest.mark.spark
def test_a_given_spark_master_trains_the_same_trees_together(trees, spark_master):
    result, _ = run(*TREES, "backend=spark", KEEP, spark_master)
    assert scores(result) == trees


@pytest.mark.spark
def test_a_given_spark_master_finds_clusters_together_and_reports_the_cpu_of_its_executors(
    clusters,
):
    result, tracker, recorded = clusters
    in_executors = sum(
        operation["cpu_seconds"]
        for operation in recorded["phases"]["search"]["operations"]
        if "KMeans.scala" in operation["name"]
    )
    paid = sum(trial.cpu_seconds for trial in result.trials)
    assert paid > in_executors > 0
    assert "without Python workers" in tracker.params["measurement_notes"]


@pytest.mark.spark
def test_trees_that_lose_the_executor_are_the_same(trees, spark_master, monkeypatch):
    result, killed = run_and_lose(monkeypatch, SparkPartitions, "in_barrier", *TREES, spark_master)
    assert not killed.is_running()
    assert scores(result) == trees
    assert result.metrics["units_run_again"] >= 1


@pytest.mark.spark
def test_clusters_that_lose_the_executor_are_the_same(spark_master, clusters, monkeypatch):
    result, killed = run_and_lose(monkeypatch, SparkKMeans, "lloyd", *CLUSTERS, spark_master)
    assert not killed.is_running()
    assert scores(result) == scores(clusters[0])
    assert result.metrics["units_run_again"] >= 1


def run_and_lose(monkeypatch, owner, begins, *words):
    """A run whose executor is killed a second after a fit on all workers has begun."""
    begin, killed = getattr(owner, begins), []

    def begin_and_lose(own, *arguments):
        if not killed:
            killed.append(executor())
            threading.Timer(1.0, kill_at_work, (killed[0], own._engine.context)).start()
        return begin(own, *arguments)

    monkeypatch.setattr(owner, begins, begin_and_lose)
    result, _ = run(*words, "backend=spark", KEEP)
    return result, killed[0]


def kill_at_work(process, context):
    """A process that has stood still until it had a task."""
    process.suspend()
    running, deadline = 0, time.monotonic() + 20
    try:
        while not running and time.monotonic() < deadline:
            time.sleep(0.05)
            tasks = context._jsc.sc().taskScheduler().runningTasksByExecutors().values().toList()
            running = sum(tasks.apply(i) for i in range(tasks.size()))
    finally:
        process.kill()


def executor():
    """The JVM that Spark's worker has started for the run."""
    name = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
    of_this_session = psutil.Process().children(recursive=True)
    (found,) = [process for process in of_this_session if name in words_of(process)]
    return found


def words_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []  # it has just ended
