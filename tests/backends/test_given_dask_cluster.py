"""A Dask cluster that somebody else has started, on what seems to be another machine."""

import pytest
from tests.backends.clusters import another_machine, cluster, run
from tests.backends.given_runs import BY_TRIALS, OWN, TREES, assert_clusters_are_found, scores
from tests.backends.heavy_runs import assert_workers_are_in, heavy_run


@pytest.fixture(scope="module")
def dask_address(tmp_path_factory):
    compatibility = another_machine(tmp_path_factory.mktemp("dask"), seconds_ahead=1000)
    with cluster("dask", "--workers", "2", **compatibility) as word:
        yield word


@pytest.mark.dask
@pytest.mark.parametrize(("model", "words"), BY_TRIALS)
def test_a_given_dask_cluster_gives_the_same_scores(dask_address, expected, model, words):
    result, tracker = run(*words, "backend=dask", dask_address)
    assert scores(result) == expected[model]
    assert len({trial.worker for trial in result.trials}) == 2
    assert OWN in tracker.params["measurement_notes"]


@pytest.mark.dask
def test_a_given_dask_cluster_trains_the_same_trees_together(dask_address, trees):
    result, _ = run(*TREES, "backend=dask", dask_address)
    assert scores(result) == trees


@pytest.mark.dask
def test_a_given_dask_cluster_finds_clusters_together(dask_address):
    assert_clusters_are_found("backend=dask", dask_address)


@pytest.mark.dask
def test_a_lost_dask_worker_is_in_the_resources_and_reported(dask_address, tmp_path):
    recorded, looks = heavy_run(tmp_path, "backend=dask", dask_address, mark=tmp_path / "killed")
    assert_workers_are_in(recorded, looks)
    assert len(looks) in (2, 3)  # the one that came for it may have come too late for work
    assert recorded["notes"].count("was lost: its samples end with it") == 1
    assert "1000.0 s ahead" in recorded["notes"]
    assert recorded["metrics"]["units_run_again"] >= 1
