"""Tests that share a started engine: their order, their fixtures, the end of the engine."""

import pytest
from tests.engines import BACKENDS, TRAINING_BACKENDS, SharedEngine

import optibench

pytest_plugins = ["tests.hypothesis_profiles", "tests.java_archive", "tests.session"]


@pytest.hookimpl(trylast=True)  # after pytest has sorted them by the scopes of fixtures
def pytest_collection_modifyitems(items):
    """Run tests of one shared engine one after the other, and after the tests that share none."""
    items.sort(key=place_of)


def place_of(item):
    engine = SharedEngine.of(item)
    return () if engine is None else engine.place


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Close a shared engine after the last test that uses it."""
    engine = SharedEngine.of(item)
    if engine is not None and engine != SharedEngine.of(nextitem):
        optibench.release_engine()


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request):
    """The name of each built-in backend."""
    return request.param


@pytest.fixture(scope="session", params=TRAINING_BACKENDS)
def training_backend(request):
    """The name of each built-in backend that trains one model on all workers."""
    return request.param


@pytest.fixture
def shared(request):
    """Return the engine that a test marked `shared_engine` uses: `shared.run(*overrides)`."""
    return SharedEngine.of(request.node)
