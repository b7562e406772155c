from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from sklearn import cluster

from optibench.errors import ConfigError
from optibench.models import kmeans, kmeans_fit_sharing, xgboost


def refusal(model: Any, params: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        model.check(params)
    return str(caught.value)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"n_cluster": 3}, "nearest are n_clusters"),
        ({"n_clusters": 1}, "at least 2"),
        ({"n_clusters": 2.0}, "a whole number"),
        ({"n_clusters": "3"}, "a whole number"),
        ({"n_clusters": True}, "a whole number"),
        ({"n_clusters": None}, "n_clusters=None"),
        ({"init": "kmeans++"}, "k-means\\+\\+ or random"),
        ({"n_init": 0}, "at least 1 or auto"),
        ({"n_init": "all"}, "at least 1 or auto"),
        ({"tol": -0.1}, "at least 0"),
        ({"tol": float("nan")}, "a number"),
        ({"algorithm": "full"}, "lloyd or elkan"),
        ({"random_state": 1}, "use seed="),
        ({"n_jobs": 1}, "backend.threads_per_trial="),
        ({"zzz": 1}, "known are n_clusters"),
    ],
)
def test_kmeans_refuses_and_says_what_is_allowed(params: dict[str, Any], expected: str) -> None:
    message = refusal(kmeans.KMeans(), params)
    assert expected.replace("\\", "") in message
    assert message.startswith("kmeans: ")
    assert next(iter(params)) in message


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_dept": 3}, "nearest are max_depth"),
        ({"max_depth": 3.0}, "a whole number of at least 0 or null"),
        ({"max_depth": -1}, "at least 0"),
        ({"subsample": 0}, "above 0 to 1"),
        ({"subsample": 1.5}, "above 0 to 1"),
        ({"eta": "fast"}, "allowed is a number of at least 0"),
        ({"eta": 0.1, "learning_rate": 0.1}, "two names of one hyperparameter"),
        ({"lambda": 1, "reg_lambda": 1}, "two names of one hyperparameter"),
        ({"booster": "gblinear"}, "gbtree or dart or null"),
        ({"objective": "reg:squarederror"}, "binary:logistic or multi:softprob"),
        ({"one_drop": True}, "0 or 1"),
        ({"seed": 1}, "use seed="),
        ({"nthread": 4}, "backend.threads_per_trial="),
        ({"device": "cuda"}, "CPU"),
        ({"early_stopping_rounds": 0}, "at least 1"),
        ({"early_stopping_rounds": 5, "booster": "dart"}, "change earlier trees"),
        ({"enable_categorical": True}, "dataset.categorical="),
    ],
)
def test_xgboost_refuses_and_says_what_is_allowed(params: dict[str, Any], expected: str) -> None:
    message = refusal(xgboost.XGBoost(), params)
    assert expected in message
    assert next(iter(params)) in message


def test_values_of_numpy_and_null_are_taken() -> None:
    xgboost.XGBoost().check({"max_depth": np.int64(3), "eta": np.float64(0.1), "gamma": None})
    kmeans.KMeans().check({"n_clusters": np.int64(3), "n_init": "auto", "tol": 0})


def test_every_hyperparameter_of_kmeans_is_known_or_reserved() -> None:
    arguments = set(inspect.signature(cluster.KMeans).parameters)
    catalogue = kmeans.HYPERPARAMETERS
    assert arguments <= {*catalogue.specs, *catalogue.reserved}
    assert set(kmeans_fit_sharing.DEFAULTS) == set(catalogue.specs)


def test_no_name_has_two_meanings() -> None:
    for catalogue in (kmeans.HYPERPARAMETERS, xgboost.HYPERPARAMETERS):
        names = [*catalogue.specs, *catalogue.aliases, *catalogue.reserved]
        assert len(names) == len(set(names))
        assert set(catalogue.aliases.values()) <= set(catalogue.specs)
