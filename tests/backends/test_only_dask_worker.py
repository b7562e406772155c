"""A given Dask cluster of one worker, which is lost in a fit and comes back without the table."""

import os
import signal
import threading

import pytest
from tests.backends.clusters import cluster, run
from tests.backends.given_runs import CLUSTERS, TREES, scores

from optibench.backends.dask.kmeans import DaskKMeans
from optibench.backends.dask.xgboost import DaskXGBoost


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
    assert scores(result) == scores(plain)
    in_one_go = len({trial.candidate for trial in plain.trials})
    assert result.metrics["units_run_again"] == (in_one_go if of_trees else 1)
