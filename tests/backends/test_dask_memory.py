"""The workers of a Dask cluster spill nothing while chunks lie in files, and do so again after."""

import copy
from math import inf
from types import SimpleNamespace

import numpy as np
import pytest
from distributed import Client, LocalCluster

from optibench.backends.dask import partitions
from optibench.backends.dask.engine import DaskEngine
from optibench.records import Chunk, EngineRequest, StoredChunk


@pytest.fixture
def given(tmp_path):
    """The engine on a cluster that is not ours, and the cluster's client."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            memory_limit="999999999B",
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield DaskEngine(client, EngineRequest(2, 1, (), tmp_path, 2**33), None), client


def limits(dask_worker):
    manager = dask_worker.memory_manager
    return manager.memory_spill_fraction, manager.data.n


def lower(dask_worker):
    dask_worker.memory_manager.data.n = 12_345


@pytest.mark.dask
def test_a_given_cluster_spills_again_when_the_engine_is_closed(given):
    engine, client = given
    first, second = engine.workers.live()
    client.run(lower, workers=[first])
    before = client.run(limits)
    assert before[first] == (before[second][0], 12_345)
    assert 0 < before[second][0] < 1
    engine.disable_spilling([first])
    assert client.run(limits) == {**before, first: (False, inf)}
    engine.disable_spilling([first, second])
    assert client.run(limits) == dict.fromkeys(before, (False, inf))
    engine.close()
    assert client.run(limits) == before
    assert all(type(n) is int for _, n in client.run(limits).values())


def test_a_chunk_that_another_worker_has_read_goes_into_files_here(tmp_path, monkeypatch):
    folder = SimpleNamespace(local_directory=str(tmp_path))
    monkeypatch.setattr(partitions, "get_worker", lambda: folder)
    chunk = Chunk(1, np.arange(6.0).reshape(3, 2), None, np.arange(3, dtype=np.uint64))
    there = chunk.stored(str(tmp_path))
    arrived = copy.copy(there)  # by what pickle asks for
    assert isinstance(arrived, Chunk)
    here = partitions._nth_in_files([arrived], 0)
    assert isinstance(here, StoredChunk)
    assert here.mapped().tolist() == chunk.X.tolist()
    assert partitions._nth_in_files([there], 0) is there
