"""Every built-in backend does what the conformance suites say."""

import pytest
from tests.engines import BACKENDS, SharedEngine

from optibench.config.registry import find
from optibench.testing import BackendSuite, OpenEngineSuite
from optibench.testing.backends import MODULES


class TestBackends(BackendSuite):
    @pytest.fixture(params=BACKENDS)
    def backend(self, request):
        return find("backend", request.param)(workers=2)


@pytest.mark.shared_engine
class TestOpenEngines(OpenEngineSuite):
    @pytest.fixture(scope="class", params=BACKENDS)
    @classmethod
    def backend(cls, request):
        return find("backend", request.param)(workers=2)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, backend, tmp_path_factory):
        """The engine that other tests share, too."""
        with SharedEngine(backend.name).opened(tmp_path_factory.mktemp("logs"), MODULES) as engine:
            yield engine
