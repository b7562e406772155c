"""What the workers of a Dask cluster are told while chunks lie in files."""

from math import inf

import pytest
from distributed import Client, LocalCluster

from optibench.backends.dask.partitions import _spilling


@pytest.fixture
def client():
    with (
        LocalCluster(
            n_workers=1, processes=False, memory_limit="1GB", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def limits(dask_worker):
    manager = dask_worker.memory_manager
    return manager.memory_spill_fraction, manager.data.n


def test_spilling_ends_and_begins_again(client):
    (before,) = client.run(limits).values()
    assert 0 < before[0] < 1
    assert 0 < before[1] < 10**9
    client.run(_spilling, on=False)
    assert list(client.run(limits).values()) == [(False, inf)]
    client.run(_spilling, on=True)
    assert list(client.run(limits).values()) == [before]
