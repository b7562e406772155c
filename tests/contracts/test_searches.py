"""Every built-in search does what the conformance suite says."""

import pytest

from optibench.config.registry import find
from optibench.testing import SearchSuite

OPTIONS = {"random": {"n_iter": 4}, "tpe": {"n_iter": 6, "startup": 3}}


@pytest.mark.shared_engine
class TestSearches(SearchSuite):
    @pytest.fixture(params=["grid", "random", "none", "halving", "hyperband", "tpe"])
    def search(self, request):
        return find("search", request.param)(**OPTIONS.get(request.param, {}))

    @pytest.fixture(scope="class", autouse=True)
    def engine_ends_with_the_class(self):
        """It is shared with other classes."""
