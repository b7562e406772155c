"""Marks the tests of the conformance suites that start an engine: the suites have no markers."""

from pathlib import Path

import pytest

ON_AN_ENGINE = (
    "test_trials_have_the_scores_of_plain_fits",
    "test_it_tunes_a_model_on_an_engine",
    "test_a_model_is_fitted_on_it",
)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by markers
def pytest_collection_modifyitems(items):
    """Mark them as slow."""
    folder = Path(__file__).parent
    for item in items:
        if item.originalname in ON_AN_ENGINE and item.path.parent == folder:
            item.add_marker(pytest.mark.slow)
