"""A loop that drives a search as the trials package does, with scores from a function."""

import pytest

from optibench.testing.search_driver import FOLDS, SearchDriver, result_of, trial_of


@pytest.fixture(scope="session")
def loop():
    """The class `SearchDriver`; a test may derive from it."""
    return SearchDriver


@pytest.fixture(scope="session")
def evaluate():
    """Return `evaluate(candidate, score)`, which returns the result of all folds."""

    def evaluate(candidate, score):
        return result_of(candidate, [trial_of(candidate, fold, score) for fold in range(FOLDS)])

    return evaluate
