import numpy as np
import pytest
from sklearn.datasets import make_regression
from xgboost import XGBRegressor

from optibench.errors import ConfigError
from optibench.models.xgboost_regression import OBJECTIVES, XGBoostRegression
from optibench.records import DataFacts

FACTS = DataFacts(0, None)


def rows():
    X, y = make_regression(200, 6, noise=5.0, random_state=0)
    return X, np.abs(y)


@pytest.mark.parametrize("objective", [None, *OBJECTIVES])
def test_values_are_those_of_the_estimator(objective):
    X, y = rows()
    model = XGBoostRegression()
    params = {"eta": 0.2, "n_estimators": 20, "objective": objective}
    params = {name: value for name, value in params.items() if value is not None}
    model.check(params)
    estimator = model.fit(model.make(params, FACTS, seed=3, threads=1), X, y, seed=3)
    plain = XGBRegressor(random_state=3, n_jobs=1, **params).fit(X, y)
    assert np.array_equal(model.predict(estimator, X).labels, plain.predict(X))


def test_early_stopping_watches_a_tenth_that_is_drawn_with_the_seed():
    X, y = rows()
    model, params = XGBoostRegression(), {"n_estimators": 300, "early_stopping_rounds": 3}
    estimators = [
        model.fit(model.make(params, FACTS, seed=0, threads=1), X, y, seed=seed)
        for seed in (1, 1, 2)
    ]
    first, again, other = [model.predict(estimator, X).labels for estimator in estimators]
    assert estimators[0].best_iteration < 299
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"objective": "binary:logistic"}, "reg:squarederror or reg:absoluteerror"),
        ({"scale_pos_weight": 2}, "there is no hyperparameter"),
        ({"early_stopping_rounds": 5, "booster": "dart"}, "xgboost_regression: early_stopping"),
    ],
)
def test_what_is_of_classes_alone_is_refused(params, expected):
    with pytest.raises(ConfigError) as caught:
        XGBoostRegression().check(params)
    assert expected in str(caught.value)


def test_a_base_score_may_be_any_number():
    XGBoostRegression().check({"base_score": 150.0})
