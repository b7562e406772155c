"""What a session of tests has of its own: a folder for temporary files, and groups for xdist.

xdist 3.8 writes the group of a test into its id, which pytest 9.2 no longer lets it do: `--dist
loadgroup` would give each test to any process. So the processes write down the groups, and a
scheduler reads them.
"""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from tests.engines import SharedEngine
from tests.java_archive import CACHE
from xdist.scheduler import LoadScopeScheduling

# What tests cost, roughly and in relation to each other: the longest groups begin first.
COSTS = {"spark": 10.0, "dask": 5.0, "slow": 3.0}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Sort the groups for several processes, which take one after the other."""
    yield
    if hasattr(config, "workerinput"):
        costs = Counter()
        for item in items:
            costs[group_of(item)] += cost_of(item)
        items.sort(key=lambda item: -costs[group_of(item)])


class GroupScheduling(LoadScopeScheduling):
    """Give all tests of a group to one process.

    Attributes:
        path: the file into which each process writes the groups of the tests that it has found.
    """

    path: Path

    def _split_scope(self, nodeid):
        if not hasattr(self, "groups"):
            self.groups = json.loads(self.path.read_text())
        return self.groups[nodeid]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Schedule by groups where `--dist loadgroup` asks for them."""
    if config.getvalue("dist") != "loadgroup":
        return None
    scheduler = GroupScheduling(config, log)
    scheduler.path = groups_file(config)
    return scheduler


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell a process where to write the groups."""
    groups_file(node.config).parent.mkdir(exist_ok=True)
    node.workerinput["groups"] = str(groups_file(node.config))


def groups_file(config):
    """Return a path for the groups of this session."""
    return config.rootpath / CACHE / f"groups-{os.getpid()}.json"


@pytest.hookimpl(tryfirst=True)  # before xdist says that the process has found its tests
def pytest_collection_finish(session):
    """Write the group of each test."""
    if hasattr(session.config, "workerinput"):
        path = Path(session.config.workerinput["groups"])
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({item.nodeid: group_of(item) for item in session.items}))
        part.replace(path)


def pytest_unconfigure(config):
    """Remove the groups of this session."""
    if not hasattr(config, "workerinput"):
        groups_file(config).unlink(missing_ok=True)


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
