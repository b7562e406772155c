from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context, metrics
from sklearn.dummy import DummyClassifier

from optibench.evaluation import cluster_metrics
from optibench.evaluation.scoring import (
    METRICS,
    ScoringSettings,
    baselines,
    default_metric,
    greater_is_better,
    score,
)
from optibench.records import Prediction, Split, Task

CLUSTERING, CLASSIFICATION = Task.CLUSTERING, Task.CLASSIFICATION
seeds = st.integers(0, 2**32 - 1)


def softmax(rng: np.random.Generator, n: int, n_classes: int, dtype: str) -> Any:
    raw = np.exp(rng.normal(scale=4, size=(n, n_classes))).astype(dtype)
    return raw / raw.sum(axis=1, keepdims=True)


def plain_scores(y: Any, labels: Any, probabilities: Any) -> dict[str, float]:
    """What scikit-learn says of the same rows, by its plain calls."""
    n_classes = probabilities.shape[1]
    classes = list(range(n_classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if n_classes == 2:
            f1 = metrics.f1_score(y, labels, zero_division=0)
            auc = metrics.roc_auc_score(y, probabilities[:, 1])
        else:
            f1 = metrics.f1_score(y, labels, average="macro")
            auc = metrics.roc_auc_score(
                y, probabilities, multi_class="ovr", average="macro", labels=classes
            )
        return {
            "accuracy": metrics.accuracy_score(y, labels),
            "f1": f1,
            "roc_auc": auc,
            "log_loss": metrics.log_loss(y, probabilities, labels=classes),
        }


@given(
    seeds,
    st.integers(2, 150),
    st.integers(2, 5),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
)
def test_class_metrics_equal_scikit_learns_to_the_last_bit(
    seed: int, n: int, n_classes: int, dtype: str, coarse: object
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    probabilities = softmax(rng, n, n_classes, dtype)
    if coarse:  # many ties, and certainties
        probabilities = np.eye(n_classes, dtype=dtype)[rng.integers(n_classes, size=n)]
    if seed % 2:  # XGBoost's layout for two classes
        probabilities = np.asfortranarray(probabilities)
    labels = probabilities.argmax(axis=1)
    scores = score(
        CLASSIFICATION,
        np.empty((n, 0)),
        y,
        Prediction(labels, probabilities),
        ScoringSettings(n_classes=n_classes),
    )
    expected = plain_scores(y, labels, probabilities)
    every_class = len(np.unique(y)) == n_classes
    assert set(scores.undefined) == (set() if every_class else {"roc_auc"})
    for metric in METRICS[CLASSIFICATION]:
        if metric in scores.undefined:
            assert math.isnan(scores.values[metric])
        else:
            assert scores.values[metric] == expected[metric], metric


@given(seeds, st.integers(3, 150), st.integers(1, 6), st.integers(2, 9), st.booleans())
def test_cluster_metrics_equal_scikit_learns_to_the_last_bit(
    seed: int, n: int, n_features: int, k: int, coarse: object
) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    if coarse:  # equal rows, distances of zero
        X = np.round(X)
    labels = rng.integers(k, size=n)
    scores = score(CLUSTERING, X, None, Prediction(labels, inertia=1.0), ScoringSettings())
    if not 1 < len(np.unique(labels)) < n:
        assert set(scores.undefined) == {"silhouette", "davies_bouldin", "calinski_harabasz"}
        return
    assert scores.undefined == {}
    assert scores.values["silhouette"] == metrics.silhouette_score(X, labels)
    assert scores.values["davies_bouldin"] == metrics.davies_bouldin_score(X, labels)
    assert scores.values["calinski_harabasz"] == metrics.calinski_harabasz_score(X, labels)
    assert scores.values["inertia"] == 1.0


@pytest.mark.parametrize("n", [999, 1000, 1001, 1500])
@pytest.mark.parametrize("sample", [400, 1200, 10_000])
def test_the_silhouette_of_many_rows_is_scikit_learns(n: int, sample: int) -> None:
    rng = np.random.default_rng(n)
    X, labels = rng.normal(size=(n, 8)), rng.integers(4, size=n)
    recorded = ScoringSettings(silhouette_sample=sample, seed=3)
    scores = score(CLUSTERING, X, None, Prediction(labels, inertia=0.0), recorded)
    draw = {"sample_size": sample, "random_state": 3} if n > sample else {}
    assert scores.values["silhouette"] == metrics.silhouette_score(X, labels, **draw)


@pytest.mark.parametrize("n", [30, 1000, 1001, 2500, 5000])
def test_the_silhouette_of_known_distances_is_scikit_learns(n: int) -> None:
    rng = np.random.default_rng(n)
    X, labels = rng.normal(size=(n, 8)), rng.integers(5, size=n)
    known = cluster_metrics.distances_between(X)
    with config_context(working_memory=64 if n > 2500 else 1024):
        expected = metrics.silhouette_score(X, labels)
    assert cluster_metrics.silhouette(X, labels, known) == expected
    assert cluster_metrics.silhouette(X, labels) == expected


def test_all_equal_rows_score_as_scikit_learn_scores_them() -> None:
    X, labels = np.ones((6, 2)), np.array([0, 1, 0, 1, 0, 1])
    scores = score(CLUSTERING, X, None, Prediction(labels, inertia=0.0), ScoringSettings())
    assert scores.values["davies_bouldin"] == metrics.davies_bouldin_score(X, labels)
    assert scores.values["calinski_harabasz"] == metrics.calinski_harabasz_score(X, labels)
    assert scores.values["silhouette"] == metrics.silhouette_score(X, labels)


def test_one_cluster_and_a_cluster_per_row_have_no_silhouette_and_say_why() -> None:
    X = np.arange(6.0).reshape(3, 2)
    one = score(CLUSTERING, X, None, Prediction(np.zeros(3, int), inertia=2.0), ScoringSettings())
    assert math.isnan(one.values["silhouette"])
    assert one.values["inertia"] == 2.0
    assert "one cluster" in one.undefined["silhouette"]
    each = score(CLUSTERING, X, None, Prediction(np.arange(3), inertia=0.0), ScoringSettings())
    assert "is its own cluster" in each.undefined["davies_bouldin"]


def test_a_sample_of_one_cluster_says_so() -> None:
    labels = np.r_[np.zeros(99, int), 1]
    X = np.random.default_rng(0).normal(size=(100, 2))
    recorded = ScoringSettings(silhouette_sample=5, seed=0)
    scores = score(CLUSTERING, X, None, Prediction(labels, inertia=0.0), recorded)
    assert scores.undefined == {"silhouette": scores.undefined["silhouette"]}
    assert scores.undefined["silhouette"].startswith("in the sample, all 5 scored rows")


def test_f1_is_that_of_the_second_class() -> None:
    y, labels = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    certain = np.eye(2)[labels]
    scores = score(
        CLASSIFICATION,
        np.empty((4, 0)),
        y,
        Prediction(labels, certain),
        ScoringSettings(n_classes=2),
    )
    assert scores.values["f1"] == 2 / 3


def test_metrics_of_a_task_and_their_direction() -> None:
    assert default_metric(CLUSTERING) == "silhouette"
    assert default_metric(CLASSIFICATION) == "accuracy"
    lower = {m for names in METRICS.values() for m in names if not greater_is_better(m)}
    assert lower == {"log_loss", "davies_bouldin", "inertia", "rmse", "mae"}


def test_the_baseline_is_the_majority_class_of_the_train_part() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), np.r_[np.zeros(30, int), np.ones(20, int)]
    rng.shuffle(y)
    parts = Split(X[:40], X[40:], y[:40], y[40:], (), None)
    recorded = baselines(parts, CLASSIFICATION, ScoringSettings(n_classes=2))
    dummy = DummyClassifier(strategy="prior").fit(X[:40], y[:40])
    expected = plain_scores(y[40:], dummy.predict(X[40:]), dummy.predict_proba(X[40:]))
    assert recorded == {f"baseline_{metric}": value for metric, value in expected.items()}
    assert recorded["baseline_roc_auc"] == 0.5
    assert baselines(parts, CLUSTERING, ScoringSettings()) == {}
