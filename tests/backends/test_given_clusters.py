"""Engines that somebody else has started: a Dask scheduler, a Spark standalone master."""

import json
import os
import signal
import threading
import time

import psutil
import pytest
from distributed import Client, get_task_stream
from tests.backends.clusters import another_machine, cluster, run, run_beside

from optibench.backends.dask.kmeans import DaskKMeans
from optibench.backends.dask.xgboost import DaskXGBoost
from optibench.backends.spark.kmeans import SparkKMeans
from optibench.backends.spark.partitions import SparkPartitions
from optibench.errors import EngineError

SMALL = [
    "model=kmeans",
    "model.space.n_clusters=[2,3]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "progress=false",
]
BOOSTED = [
    "model=xgboost",
    "model.space.max_depth=[2,3]",
    "model.space.subsample=[0.7]",
    "model.params.n_estimators=10",
    "progress=false",
]
BY_TRIALS = [pytest.param(SMALL, id="kmeans"), pytest.param(BOOSTED, id="xgboost")]
TREES = [
    "model=xgboost",
    "model.space.max_depth=[2,3]",
    "model.params.n_estimators=60",
    "evaluation.folds=2",
    "evaluation.default_fit=false",
    "backend.parallelism=data",
    "progress=false",
]
CLUSTERS = [
    "model=kmeans",
    "dataset=iris",
    "evaluation.folds=2",
    "evaluation.default_fit=false",
    "model.space.n_clusters=[3]",
    "model.space.init=[k-means++]",
    "model.space.max_iter=[10]",
    "model.space.n_init=[1]",
    "backend.parallelism=data",
    "progress=false",
]

OWN = "the workers descend from this process and are measured with it"
MIB = 2**20
# 300 MiB in each worker from its first fit on; where there is a mark, a worker dies once, or the
# executor that it works for.
HEAVY = """
import os, time

import numpy as np
import psutil
from sklearn.tree import DecisionTreeClassifier

HELD = []


class Tree(DecisionTreeClassifier):
    def fit(self, X, y):
        HELD[:] = HELD or [np.ones(300 * 2**17)]
        if self.max_depth == 3 and "{mark}":
            try:
                os.close(os.open("{mark}", os.O_CREAT | os.O_EXCL))
                ({victim}).kill()
            except FileExistsError:
                pass
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
        return super().fit(X, y)
"""
TUNED = [
    "model=estimator",
    "model.estimator=heavy.Tree",
    "model.space.max_depth=[2,3,4,5]",
    "dataset=iris",
    "profiling=off",
    "progress=false",
]


@pytest.fixture(scope="module")
def dask_address(tmp_path_factory):
    compatibility = another_machine(tmp_path_factory.mktemp("dask"), seconds_ahead=1000)
    with cluster("dask", "--workers", "2", **compatibility) as word:
        yield word


@pytest.fixture(scope="module")
def spark_master(tmp_path_factory):
    compatibility = another_machine(tmp_path_factory.mktemp("spark"))
    with cluster("spark", "--workers", "2", **compatibility) as word:
        yield word


@pytest.mark.dask
@pytest.mark.parametrize("words", BY_TRIALS)
def test_a_given_dask_cluster_gives_the_same_scores(dask_address, words):
    expected, _ = run(*words, "backend=sklearn")
    result, tracker = run(*words, "backend=dask", dask_address)
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert len({trial.worker for trial in result.trials}) == 2
    assert OWN in tracker.params["measurement_notes"]


@pytest.fixture(scope="module")
def clusters(spark_master):
    return assert_clusters_are_found("backend=spark", spark_master)


@pytest.fixture(scope="module")
def trees():
    """What workers that are started here find together."""
    result, _ = run(*TREES, "backend=dask")
    return [trial.scores for trial in result.trials]


@pytest.mark.dask
def test_a_given_dask_cluster_trains_the_same_trees_together(dask_address, trees):
    result, _ = run(*TREES, "backend=dask", dask_address)
    assert [trial.scores for trial in result.trials] == trees


@pytest.mark.dask
def test_a_given_dask_cluster_finds_clusters_together(dask_address):
    assert_clusters_are_found("backend=dask", dask_address)


@pytest.mark.dask
@pytest.mark.parametrize("words", [CLUSTERS, TREES, SMALL])
def test_workers_that_a_run_has_not_asked_for_get_nothing_to_do(larger_dask_cluster, words):
    client, address = larger_dask_cluster
    with get_task_stream(client) as tasks:
        run(*words, "backend=dask", address, "backend.workers=2")
    assert len({task["worker"] for task in tasks.data}) == 2


@pytest.fixture(scope="module")
def single_dask_worker():
    with cluster("dask", "--workers", "1") as word:
        yield word


@pytest.mark.dask
@pytest.mark.parametrize(
    ("owner", "begins", "words"),
    [
        pytest.param(DaskXGBoost, "_train", TREES, id="xgboost"),
        pytest.param(
            DaskKMeans, "_engine_params", [*CLUSTERS, "model.space.n_clusters=[2,3]"], id="kmeans"
        ),
    ],
)
def test_a_table_that_went_with_its_only_worker_is_sent_again(
    single_dask_worker, monkeypatch, owner, begins, words
):
    """In XGBoost's first fit, and as K-means begins with its second candidate."""
    words, calls = [*words, "backend=dask", "backend.workers=1", single_dask_worker], []
    plain, _ = run(*words)
    begin, of_trees = getattr(owner, begins), owner is DaskXGBoost

    def begin_and_lose(trainer, *arguments):
        calls.append(arguments)
        if len(calls) == (1 if of_trees else 2):
            (worker,) = trainer.engine.client.run(os.getpid).values()
            os.kill(worker, signal.SIGSTOP)  # it gets work, and ends none
            threading.Timer(0.5, os.kill, (worker, signal.SIGKILL)).start()
        return begin(trainer, *arguments)

    monkeypatch.setattr(owner, begins, begin_and_lose)
    result, _ = run(*words)
    assert [trial.scores for trial in result.trials] == [trial.scores for trial in plain.trials]
    in_one_go = len({trial.candidate for trial in plain.trials})
    assert result.metrics["units_run_again"] == (in_one_go if of_trees else 1)


@pytest.fixture(scope="module")
def larger_dask_cluster():
    """Whose scheduler moves no task that it was told the worker of."""
    env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False"}
    with (
        cluster("dask", "--workers", "3", env=env) as word,
        Client(word.split("=")[1]) as client,
    ):
        yield client, word


def assert_clusters_are_found(*words):
    """Scikit-learn finds 139.8 on all rows of iris, standardised."""
    result, tracker = run(*CLUSTERS, *words)
    assert result.metrics["train_inertia"] + result.metrics["inertia"] < 1.1 * 139.82
    told = json.loads(tracker.artifacts["profile/engine.json"])
    assert list(told["phases"]) == ["search", "fit", "score"]
    assert all(part["total"]["cpu_seconds"] > 0 for part in told["phases"].values())
    return result, tracker, told


@pytest.mark.dask
def test_a_dask_cluster_of_threads_is_refused():
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as threads:
        address = f"backend.address={threads.scheduler_address}"
        with pytest.raises(EngineError, match="--nthreads 1"):
            run(*SMALL, "backend=dask", address)


@pytest.mark.spark
@pytest.mark.parametrize("words", BY_TRIALS)
def test_a_given_spark_master_gives_the_same_scores(spark_master, words):
    result, tracker = run(*words, "backend=spark", spark_master)
    expected, _ = run(*words, "backend=sklearn")
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert OWN in tracker.params["measurement_notes"]


@pytest.mark.spark
def test_a_given_spark_master_trains_the_same_trees_together(spark_master, trees):
    result, _ = run(*TREES, "backend=spark", spark_master)
    assert [trial.scores for trial in result.trials] == trees


def heavy_run(folder, *words, mark="", victim="psutil.Process()"):
    """Beside the cluster, none of whose processes descends from the run."""
    (folder / "heavy.py").write_text(HEAVY.format(mark=mark, victim=victim))
    told = run_beside(folder, *TUNED, *words)
    rows = [row.split(",") for row in told["workers.csv"].splitlines()[1:]]
    return told, {pid: [row for row in rows if row[1] == pid] for pid in {r[1] for r in rows}}


def assert_workers_are_in(told, looks):
    """Each of 20 trials burns 0.15 s, and each of two workers holds 300 MiB."""
    metrics, trials = told["metrics"], told["trials_cpu_seconds"]
    used = [[float(row[3]) for row in own] for own in looks.values()]
    assert all(series == sorted(series) for series in used)
    workers = sum(series[-1] for series in used)
    assert 20 * 0.15 <= trials <= min(workers, metrics["search_cpu_seconds"])
    assert metrics["cpu_seconds"] <= told["own_cpu_seconds"] + workers + 0.1
    peak = metrics["search_peak_memory_bytes"]
    assert metrics["load_peak_memory_bytes"] + 600 * MIB < peak <= metrics["peak_memory_bytes"]
    assert 0 < metrics["search_cpu_percent"] <= 100
    assert "are in the resources by a watch beside each" in told["notes"]
    assert "of the run lack" not in told["notes"]


@pytest.mark.dask
def test_a_lost_dask_worker_is_in_the_resources_and_told(dask_address, tmp_path):
    told, looks = heavy_run(tmp_path, "backend=dask", dask_address, mark=tmp_path / "killed")
    assert_workers_are_in(told, looks)
    assert len(looks) in (2, 3)  # the one that came for it may have come too late for work
    assert told["notes"].count("was lost: its samples end with it") == 1
    assert "1000.0 s ahead" in told["notes"]
    assert told["metrics"]["units_run_again"] >= 1


@pytest.fixture(scope="module")
def heavy_on_spark(spark_master, tmp_path_factory):
    return heavy_run(tmp_path_factory.mktemp("heavy"), "backend=spark", spark_master)


@pytest.mark.spark
def test_the_executor_of_a_given_spark_master_is_in_the_resources(heavy_on_spark):
    told, looks = heavy_on_spark
    assert_workers_are_in(told, looks)
    ((*_, last),) = looks.values()
    assert int(last[-1]) == 4  # the JVM, PySpark's daemon and two workers
    assert "the master" in told["notes"]


@pytest.mark.spark
def test_trials_of_a_lost_executor_are_run_again(spark_master, heavy_on_spark, tmp_path):
    plain, _ = heavy_on_spark
    executor = "psutil.Process().parent().parent()"
    words = ("backend=spark", spark_master)
    told, _ = heavy_run(tmp_path, *words, mark=tmp_path / "killed", victim=executor)
    assert (tmp_path / "killed").exists()
    assert told["scores"] == plain["scores"]
    assert told["metrics"]["units_run_again"] >= 1


@pytest.mark.spark
def test_trees_that_lose_the_executor_are_the_same(spark_master, trees, monkeypatch):
    result, killed = run_and_lose(monkeypatch, SparkPartitions, "in_barrier", *TREES, spark_master)
    assert not killed.is_running()
    assert [trial.scores for trial in result.trials] == trees
    assert result.metrics["units_run_again"] >= 1


@pytest.mark.spark
def test_clusters_that_lose_the_executor_are_the_same(spark_master, clusters, monkeypatch):
    result, killed = run_and_lose(monkeypatch, SparkKMeans, "lloyd", *CLUSTERS, spark_master)
    assert not killed.is_running()
    assert [trial.scores for trial in result.trials] == [t.scores for t in clusters[0].trials]
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
    result, _ = run(*words, "backend=spark")
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
    (found,) = [p for p in psutil.process_iter(["cmdline"]) if name in (p.info["cmdline"] or ())]
    return found


@pytest.mark.spark
def test_a_given_spark_master_finds_clusters_together_and_tells_the_cpu_of_its_executors(clusters):
    result, tracker, told = clusters
    in_executors = sum(
        operation["cpu_seconds"]
        for operation in told["phases"]["search"]["operations"]
        if "KMeans.scala" in operation["name"]
    )
    paid = sum(trial.cpu_seconds for trial in result.trials)
    assert paid > in_executors > 0
    assert "without Python workers" in tracker.params["measurement_notes"]
