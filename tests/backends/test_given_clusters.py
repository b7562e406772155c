"""Engines that somebody else has started: a Dask scheduler, a Spark standalone master."""

import json

import pytest
from tests.backends.clusters import another_machine, cluster, run

from optibench.errors import EngineError

SMALL = [
    "model=kmeans",
    "model.space.n_clusters=[2,3]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "progress=false",
]
TREES = [
    "model=xgboost",
    "model.space.max_depth=[2,3]",
    "model.params.n_estimators=10",
    "evaluation.folds=2",
    "backend.parallelism=data",
    "progress=false",
]
CLUSTERS = [
    "model=kmeans",
    "dataset=iris",
    "evaluation.folds=2",
    "model.space.n_clusters=[3]",
    "model.space.init=[k-means++]",
    "model.space.max_iter=[10]",
    "model.space.n_init=[1]",
    "backend.parallelism=data",
    "progress=false",
]


@pytest.fixture(scope="module")
def dask_address(tmp_path_factory):
    elsewhere = another_machine(tmp_path_factory.mktemp("dask"))
    with cluster("dask", "--workers", "2", **elsewhere) as word:
        yield word


@pytest.fixture(scope="module")
def spark_master(tmp_path_factory):
    elsewhere = another_machine(tmp_path_factory.mktemp("spark"))
    with cluster("spark", "--workers", "2", **elsewhere) as word:
        yield word


@pytest.mark.dask
def test_a_given_dask_cluster_gives_the_same_scores_and_says_what_it_cannot_measure(dask_address):
    expected, _ = run(*SMALL, "backend=sklearn")
    result, tracker = run(*SMALL, "backend=dask", dask_address)
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert len({trial.worker for trial in result.trials}) == 2
    assert "not in the resource metrics" in tracker.params["measurement_notes"]


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
def test_a_given_spark_master_gives_the_same_scores(spark_master):
    result, tracker = run(*SMALL, "backend=spark", spark_master)
    expected, _ = run(*SMALL, "backend=sklearn")
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert "not in the resource metrics" in tracker.params["measurement_notes"]


@pytest.mark.spark
def test_a_given_spark_master_trains_the_same_trees_together(spark_master, trees):
    result, _ = run(*TREES, "backend=spark", spark_master)
    assert [trial.scores for trial in result.trials] == trees


@pytest.mark.spark
def test_a_given_spark_master_finds_clusters_together_and_tells_the_cpu_of_its_executors(
    spark_master,
):
    result, tracker, told = assert_clusters_are_found("backend=spark", spark_master)
    in_executors = sum(
        operation["cpu_seconds"]
        for operation in told["phases"]["search"]["operations"]
        if "KMeans.scala" in operation["name"]
    )
    paid = sum(trial.cpu_seconds for trial in result.trials)
    assert paid > in_executors > 0
    assert "without Python workers" in tracker.params["measurement_notes"]
