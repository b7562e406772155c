"""RMSE, MAE and R2 are scikit-learn's to the last bit; the baseline is the mean."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as skm

from optibench.evaluation.scoring import ScoringSettings, baselines, greater_is_better, score
from optibench.records import Prediction, Split, Task

finite = st.floats(-1e6, 1e6, width=32)
SETTINGS = ScoringSettings()


def scored(y, predicted):
    return score(Task.REGRESSION, np.zeros((len(y), 1)), y, Prediction(predicted), SETTINGS)


def theirs(y, predicted):
    return {
        "rmse": skm.root_mean_squared_error(y, predicted),
        "mae": skm.mean_absolute_error(y, predicted),
        "r2": skm.r2_score(y, predicted),
    }


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=40))
def test_any_values_are_scored_as_by_scikit_learn(pairs):
    y, predicted = np.array(pairs).T
    assert scored(y.copy(), predicted.copy()).values == theirs(y, predicted)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_many_values_are_scored_as_by_scikit_learn(kind):
    rng = np.random.default_rng(0)
    y = rng.normal(1e3, 10, size=10_007)
    predicted = (y + rng.normal(size=len(y))).astype(kind)
    assert scored(y, predicted).values == theirs(y, predicted)


@pytest.mark.parametrize(("off", "r2"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_constant_target_has_the_r2_of_scikit_learn(off, r2):
    y = np.full(5, 3.0)
    found = scored(y, y + off).values
    assert found == theirs(y, y + off)
    assert found["r2"] == r2


def test_a_single_row_has_no_r2_and_says_so():
    found = scored(np.array([1.0]), np.array([2.0]))
    assert math.isnan(found.values["r2"])
    assert "at least 2" in found.undefined["r2"]


def test_errors_rank_ascending_and_r2_descending():
    assert [greater_is_better(name) for name in ("rmse", "mae", "r2")] == [False, False, True]


def test_the_baseline_is_the_mean_of_the_train_part():
    y_train, y_test = np.array([1.0, 2.0, 6.0]), np.array([2.0, 5.0])
    split = Split(np.zeros((3, 1)), np.zeros((2, 1)), y_train, y_test, (), None)
    found = baselines(split, Task.REGRESSION, SETTINGS)
    expected = theirs(y_test, np.full(2, 3.0))
    assert found == {f"baseline_{name}": value for name, value in expected.items()}
