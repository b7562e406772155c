"""Both plug-ins pass the suites of OptiBench."""

import pytest
from optibench_tiny.nearest import NearestNeighbours
from optibench_tiny.shuffled import ShuffledSearch

from optibench.testing import ModelSuite, SearchSuite


class TestNearestNeighbours(ModelSuite):
    space = {"n_neighbors": [1, 5], "weights": ["uniform", "distance"]}

    @pytest.fixture
    def model(self):
        return NearestNeighbours()


class TestShuffledSearch(SearchSuite):
    @pytest.fixture(params=[None, 3])
    def search(self, request):
        return ShuffledSearch(n_iter=request.param)
