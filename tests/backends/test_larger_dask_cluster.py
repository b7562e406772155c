"""A given Dask cluster that has more workers, or others, than a run asks for."""

import os

import pytest
from distributed import Client, LocalCluster, get_task_stream
from tests.backends.clusters import cluster, run
from tests.backends.given_runs import CLUSTERS, SMALL, TREES

from optibench.errors import EngineError


@pytest.fixture(scope="module")
def larger_dask_cluster():
    """Whose scheduler moves no task for which it did not name the worker."""
    env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False"}
    with (
        cluster("dask", "--workers", "3", env=env) as word,
        Client(word.split("=")[1]) as client,
    ):
        yield client, word


@pytest.mark.dask
@pytest.mark.parametrize("words", [CLUSTERS, TREES, SMALL])
def test_workers_that_a_run_has_not_asked_for_get_nothing_to_do(larger_dask_cluster, words):
    client, address = larger_dask_cluster
    with get_task_stream(client) as tasks:
        run(*words, "backend=dask", address, "backend.workers=2")
    assert len({task["worker"] for task in tasks.data}) == 2


@pytest.mark.dask
def test_a_dask_cluster_of_threads_is_refused():
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as threads:
        address = f"backend.address={threads.scheduler_address}"
        with pytest.raises(EngineError, match="--nthreads 1"):
            run(*SMALL, "backend=dask", address)
