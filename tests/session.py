"""What a session of tests has of its own: a folder for temporary files, and groups for xdist."""

import tempfile
from collections import Counter

import pytest
from tests.engines import SharedEngine

# What tests cost, roughly and in relation to each other: the longest groups begin first.
COSTS = {"spark": 10.0, "dask": 5.0, "slow": 3.0}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Let one process run all tests of a shared engine, and all others of a file.

    Several processes take the groups one after the other.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    yield
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        costs = Counter()
        for item in items:
            costs[group_of(item)] += cost_of(item)
        items.sort(key=lambda item: -costs[group_of(item)])


def group_of(item):
    """Return the name of a shared engine, or of a file."""
    engine = SharedEngine.of(item)
    return item.nodeid.partition("::")[0] if engine is None else "-".join(map(str, engine))


def cost_of(item):
    """Return the cost of a test by its dearest marker."""
    return max(
        (cost for name, cost in COSTS.items() if item.get_closest_marker(name)), default=0.1
    )


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory):
    """Keep temporary files apart from those of other processes, which a test might count."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        # Else each process that a test starts compiles this package anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield folder
