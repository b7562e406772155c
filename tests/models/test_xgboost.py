from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.datasets import make_classification

from optibench.models.xgboost import XGBoost
from optibench.records import DataFacts

PARAMS = [
    {},
    {"eta": 0.2, "max_depth": 3, "subsample": 0.7},
    {"booster": "dart", "rate_drop": 0.5, "one_drop": 1, "sample_type": "weighted"},
    {"lambda": 2.0, "alpha": 1.0, "min_split_loss": 0.5, "num_boost_round": 7},
]


def rows(n_classes: int) -> tuple[Any, Any]:
    return make_classification(
        240, 6, n_informative=4, n_classes=n_classes, flip_y=0.2, random_state=0
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("params", PARAMS)
def test_labels_and_probabilities_are_those_of_the_estimator(
    params: dict[str, Any], n_classes: int
) -> None:
    X, y = rows(n_classes)
    model = XGBoost()
    model.check(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = model.make(params, DataFacts(n_classes, None), seed=0, threads=1)
        estimator.fit(X[:180], y[:180])
    prediction = model.predict(estimator, X[180:])
    assert prediction.labels.dtype == np.int64
    assert np.array_equal(prediction.labels, estimator.predict(X[180:]))
    assert np.array_equal(prediction.probabilities, estimator.predict_proba(X[180:]))
    assert prediction.probabilities.shape == (60, n_classes)


def test_an_alias_means_the_same_and_the_seed_counts() -> None:
    X, y = rows(2)
    model, facts = XGBoost(), DataFacts(2, None)
    native = {"eta": 0.3, "subsample": 0.5, "max_depth": 4, "seed": 5, "nthread": 1}
    booster = xgb.train({**native, "objective": "binary:logistic"}, xgb.DMatrix(X, y), 100)
    params = {"eta": 0.3, "subsample": 0.5, "max_depth": 4}
    fitted = model.make(params, facts, seed=5, threads=1).fit(X, y)
    assert np.array_equal(
        booster.predict(xgb.DMatrix(X)), model.predict(fitted, X).probabilities[:, 1]
    )
    other = model.make(params, facts, seed=6, threads=1).fit(X, y)
    assert not np.array_equal(fitted.predict_proba(X), other.predict_proba(X))


def test_the_objective_follows_the_number_of_classes() -> None:
    for n_classes, objective in ((2, "binary:logistic"), (3, "multi:softprob")):
        estimator = XGBoost().make({}, DataFacts(n_classes, None), seed=0, threads=2)
        assert estimator.objective == objective
        assert estimator.n_jobs == 2


def test_coded_categories_and_gaps_are_learnt_as_xgboost_learns_them_from_a_frame() -> None:
    rng = np.random.default_rng(1)
    codes, numbers = rng.integers(0, 12, 300).astype(float), rng.normal(size=300)
    y = (np.isin(codes, [1, 5, 7]) ^ (numbers > 0.5)).astype(int)
    codes[::17] = np.nan
    X = np.column_stack([numbers, codes])
    model = XGBoost()
    estimator = model.make({"n_estimators": 20}, DataFacts(2, ("q", "c")), seed=0, threads=1)
    prediction = model.predict(estimator.fit(X, y), X)
    labels = pd.Series(codes).map(lambda code: None if np.isnan(code) else f"c{int(code):02d}")
    frame = pd.DataFrame({"number": numbers, "code": labels.astype("category")})
    reference = xgb.XGBClassifier(
        n_estimators=20, enable_categorical=True, n_jobs=1, random_state=0
    ).fit(frame, y)
    assert np.array_equal(prediction.probabilities, reference.predict_proba(frame))
    assert (prediction.labels == y).mean() > 0.9


def test_importing_the_models_imports_no_engine() -> None:
    import subprocess

    code = (
        "import sys, optibench.models.xgboost, optibench.models.kmeans, optibench.datasets.csv;"
        "sys.exit(any(name in sys.modules for name in ('sklearn', 'xgboost', 'pandas', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
