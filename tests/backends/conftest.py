"""What several files of this folder compare with, computed once."""

import pytest
from tests.backends.clusters import run
from tests.backends.given_runs import BOOSTED, SMALL, TREES, scores

import optibench


@pytest.fixture(autouse=True, scope="module")
def nothing_kept():
    """No engine of another module, and none left for one."""
    optibench.release_engine()
    yield
    optibench.release_engine()


@pytest.fixture(scope="session")
def expected():
    """Scores by model, found by workers of scikit-learn's backend."""
    runs = {"kmeans": SMALL, "xgboost": BOOSTED}
    return {model: scores(run(*words, "backend=sklearn")[0]) for model, words in runs.items()}


@pytest.fixture(scope="session")
def trees():
    """What workers that are started here find together."""
    return scores(run(*TREES, "backend=dask")[0])
