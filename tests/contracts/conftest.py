"""Every test below is written once and runs on every backend."""

import pytest

BACKENDS = [
    pytest.param("sklearn"),
    pytest.param("dask", marks=pytest.mark.dask),
    pytest.param("spark", marks=pytest.mark.spark),
]


@pytest.fixture(params=BACKENDS, scope="module")
def backend(request):
    """The name of a backend; all tests of a module run on one, then all on the next."""
    return request.param
