"""Conformance suites for plug-ins: what a model, a search, a dataset and a backend must do.

A package that has a plug-in derives a test class from a suite and says what to test:

    from optibench.testing import SearchSuite

    class TestMySearch(SearchSuite):
        @pytest.fixture
        def search(self):
            return MySearch(n_iter=5)

The suites need pytest (`pip install optibench[testing]`). OptiBench runs them on its own plug-ins.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optibench.testing.backends import BackendSuite, OpenEngineSuite
    from optibench.testing.datasets import DatasetSuite
    from optibench.testing.models import ModelSuite
    from optibench.testing.searches import SearchSuite

__all__ = ["BackendSuite", "DatasetSuite", "ModelSuite", "OpenEngineSuite", "SearchSuite"]

SUITES = {
    "BackendSuite": "optibench.testing.backends",
    "DatasetSuite": "optibench.testing.datasets",
    "ModelSuite": "optibench.testing.models",
    "OpenEngineSuite": "optibench.testing.backends",
    "SearchSuite": "optibench.testing.searches",
}


def __getattr__(name: str) -> Any:
    """Import a suite at its first use: workers import this package, too, and need no pytest."""
    if name not in SUITES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    import pytest

    shared = (f"{__name__}.plugins", f"{__name__}.reference", f"{__name__}.search_driver")
    pytest.register_assert_rewrite(SUITES[name], *shared)
    return getattr(import_module(SUITES[name]), name)
