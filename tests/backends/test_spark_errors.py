"""Errors of Spark come as ours, also where PySpark itself trips over them."""

import pytest
from py4j.protocol import Py4JError

from optibench.backends.spark.session import translated
from optibench.errors import EngineError, FitError

OF_SPARK = Py4JError("no answer")


def trip():
    """As PySpark's `_load_from_socket`, which closes what was not opened."""
    try:
        raise OF_SPARK
    finally:
        raise UnboundLocalError


def test_an_error_that_pyspark_trips_over_is_reported():
    with pytest.raises(EngineError, match="asked for: no answer"), translated("asked for"):
        trip()


def test_an_error_of_a_fit_is_one_where_the_jvm_goes_on():
    with pytest.raises(FitError, match="fitted: no answer"), translated("fitted", FitError):
        raise OF_SPARK


def test_a_mistake_of_ours_stays_what_it_is():
    with pytest.raises(UnboundLocalError), translated("asked for"):
        raise UnboundLocalError
