"""Random forest and logistic regression: scikit-learn's estimators, no default implicit."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression as SklearnRegression

from optibench.errors import ConfigError
from optibench.models.logistic_regression import LogisticRegression
from optibench.models.random_forest import RandomForest
from optibench.records import DataFacts

KINDS = [(RandomForest, RandomForestClassifier), (LogisticRegression, SklearnRegression)]
PARAMS = {
    RandomForest: [{}, {"max_depth": 3, "max_features": 0.5, "min_samples_leaf": 0.02}],
    LogisticRegression: [{}, {"C": 0.1, "solver": "saga", "l1_ratio": 0.5, "max_iter": 500}],
}


def rows(n_classes):
    return make_classification(
        240, 6, n_informative=4, n_classes=n_classes, flip_y=0.2, random_state=0
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(("kind", "estimator"), KINDS)
def test_labels_and_probabilities_are_those_of_scikit_learn(kind, estimator, position, n_classes):
    X, y = rows(n_classes)
    model, params = kind(), PARAMS[kind][position]
    model.check(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = model.make(params, DataFacts(n_classes, None), seed=3, threads=1)
        prediction = model.predict(model.fit(ours, X[:180], y[:180], seed=3), X[180:])
    plain = estimator(random_state=3, **params).fit(X[:180], y[:180])
    assert prediction.labels.dtype == np.int64
    assert np.array_equal(prediction.labels, plain.predict(X[180:]))
    assert np.array_equal(prediction.probabilities, plain.predict_proba(X[180:]))


@pytest.mark.parametrize(("kind", "estimator"), KINDS)
def test_every_hyperparameter_of_scikit_learn_has_its_default_or_its_reason(kind, estimator):
    theirs = estimator().get_params()
    reserved = kind.catalogue.reserved
    assert {name: theirs[name] for name in kind.defaults} == kind.defaults
    assert set(kind.defaults) == set(kind.catalogue.specs)
    assert set(theirs) - set(kind.defaults) <= set(reserved)
    kind().check(kind.defaults)


@pytest.mark.parametrize(("kind", "_estimator"), KINDS)
def test_a_default_that_is_written_out_is_the_same_candidate(kind, _estimator):
    model = kind()
    assert model.identity({}) == model.identity(kind.defaults)
    assert model.identity(PARAMS[kind][1]) != model.identity({})


def test_one_feature_is_not_all_of_them():
    assert RandomForest().identity({"max_features": 1}) != RandomForest().identity(
        {"max_features": 1.0}
    )


def test_a_forest_says_the_same_on_any_number_of_threads():
    X, y = rows(3)
    model, facts = RandomForest(), DataFacts(3, None)
    first, *others = [
        model.predict(model.fit(model.make({}, facts, seed=0, threads=n), X, y, seed=0), X)
        for n in (1, 2, 2, 2)
    ]
    for other in others:
        assert np.array_equal(first.probabilities, other.probabilities)


@pytest.mark.parametrize(
    ("model", "params", "expected"),
    [
        (RandomForest(), {"n_estimator": 3}, "nearest are n_estimators"),
        (RandomForest(), {"max_features": "auto"}, "at least 1 or a share above 0 up to 1.0 or"),
        (RandomForest(), {"max_features": 1.5}, "sqrt or log2 or null"),
        (RandomForest(), {"max_features": 0}, "at least 1"),
        (RandomForest(), {"min_samples_leaf": 1.0}, "a share above 0 and below 1"),
        (RandomForest(), {"min_samples_split": 1}, "at least 2"),
        (RandomForest(), {"max_samples": True}, "at least 1"),
        (RandomForest(), {"bootstrap": 1}, "True or False"),
        (RandomForest(), {"bootstrap": False, "max_samples": 0.5}, "leave one of them out"),
        (RandomForest(), {"n_jobs": 2}, "backend.threads_per_trial="),
        (LogisticRegression(), {"C": 0}, "a number above 0"),
        (LogisticRegression(), {"penalty": "l1"}, "use l1_ratio="),
        (LogisticRegression(), {"l1_ratio": 0.5}, "solver=lbfgs with l1_ratio=0.5"),
        (LogisticRegression(), {"l1_ratio": 0.5, "solver": "liblinear"}, "0 or 1"),
        (LogisticRegression(), {"dual": True}, "only solver=liblinear"),
    ],
)
def test_what_scikit_learn_cannot_do_is_refused_by_name(model, params, expected):
    with pytest.raises(ConfigError) as caught:
        model.check(params)
    assert expected in str(caught.value)
