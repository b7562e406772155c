"""Any estimator by its import path: what it is for is what it says of itself."""

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import Ridge

from optibench.errors import ConfigError
from optibench.models.estimator import ImportedEstimator
from optibench.records import DataFacts, Task

TREES = "sklearn.ensemble.ExtraTreesClassifier"
FACTS = DataFacts(2, None)


def rows():
    return make_classification(120, 5, random_state=0)


def fitted(model, params, X, y):
    estimator = model.make(params, FACTS, seed=3, threads=1)
    return model.fit(estimator, X, y, seed=3)


def test_a_classifier_predicts_classes_and_probabilities():
    X, y = rows()
    model = ImportedEstimator(estimator=TREES)
    assert (model.task, model.libraries) == (Task.CLASSIFICATION, ("scikit-learn",))
    assert model.accepts_missing
    estimator = fitted(model, {"n_estimators": 7}, X, y)
    plain = ExtraTreesClassifier(n_estimators=7, random_state=3).fit(X, y)
    assert estimator.get_params()["n_jobs"] == 1
    prediction = model.predict(estimator, X)
    assert np.array_equal(prediction.labels, plain.predict(X))
    assert np.array_equal(prediction.probabilities, plain.predict_proba(X))


def test_a_regressor_predicts_values():
    X, y = rows()
    model = ImportedEstimator(estimator="sklearn.linear_model.Ridge")
    assert model.task is Task.REGRESSION
    prediction = model.predict(fitted(model, {"alpha": 2.0}, X, y * 1.5), X)
    assert np.array_equal(prediction.labels, Ridge(alpha=2.0).fit(X, y * 1.5).predict(X))


def test_a_clusterer_predicts_clusters_and_reports_its_inertia():
    X, _ = rows()
    model = ImportedEstimator(estimator="sklearn.cluster.MiniBatchKMeans")
    assert model.task is Task.CLUSTERING
    prediction = model.predict(fitted(model, {"n_clusters": 3}, X, None), X)
    plain = MiniBatchKMeans(3, random_state=3).fit(X)
    assert np.array_equal(prediction.labels, plain.predict(X))
    assert prediction.inertia == -plain.score(X)


def test_a_default_that_is_written_out_is_the_same_candidate():
    model = ImportedEstimator(estimator=TREES)
    assert model.identity({}) == model.identity({"n_estimators": 100})
    assert model.identity({}) != model.identity({"n_estimators": 101})


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        (None, {}, "give the import path of a class"),
        ("Trees", {}, "give the import path of a class"),
        ("nowhere_at_all.Trees", {}, "cannot be imported: No module named"),
        ("sklearn.ensemble.Trees", {}, "cannot be imported"),
        ("sklearn.metrics.accuracy_score", {}, "a class is needed"),
        ("sklearn.preprocessing.StandardScaler", {}, "allowed are classifier, regressor"),
        ("sklearn.cluster.DBSCAN", {}, "no predict"),
        ("sklearn.svm.LinearSVC", {}, "no predict_proba"),
        ("sklearn.multiclass.OneVsRestClassifier", {}, "Set what it needs"),
        ("collections.OrderedDict", {}, "scikit-learn's interface"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_path(path, params, expected):
    with pytest.raises(ConfigError) as caught:
        ImportedEstimator(estimator=path, params=params).task  # noqa: B018
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n_estimator", "nearest are n_estimators"),
        ("random_state", "use seed="),
        ("n_jobs", "backend.threads_per_trial="),
    ],
)
def test_a_name_that_it_does_not_have_is_refused(name, expected):
    with pytest.raises(ConfigError, match=expected):
        ImportedEstimator(estimator=TREES).check({name: 3})
