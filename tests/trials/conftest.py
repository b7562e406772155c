import pytest
from tests.trials.fakes import ThreadEngine


@pytest.fixture
def engine():
    """Two slots."""
    return ThreadEngine()
