import pytest
from tests.trials.fakes import ThreadEngine


@pytest.fixture
def engine():
    """Return an engine with two slots."""
    return ThreadEngine()
