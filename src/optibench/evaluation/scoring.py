"""Score predictions, with one function per task for every backend, driver and worker.

Scoring runs once per trial, inside the measured time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from optibench.evaluation import class_metrics, cluster_metrics, value_metrics
from optibench.records import Prediction, Scores, Split, Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

METRICS: dict[Task, tuple[str, ...]] = {
    Task.CLASSIFICATION: ("accuracy", "f1", "roc_auc", "log_loss"),
    Task.CLUSTERING: ("silhouette", "davies_bouldin", "calinski_harabasz", "inertia"),
    Task.REGRESSION: ("rmse", "mae", "r2"),
}
LOWER_IS_BETTER = frozenset({"log_loss", "davies_bouldin", "inertia", "rmse", "mae"})


@dataclass(frozen=True)
class ScoringSettings:
    """Settings of the metrics.

    Attributes:
        silhouette_sample: the silhouette is computed on at most this number of rows.
        seed: of the random sample for the silhouette.
        n_classes: number of classes in the whole table; 0 if there are none.
    """

    silhouette_sample: int = 10_000
    seed: int = 0
    n_classes: int = 0


def greater_is_better(metric: str) -> bool:
    """Return True if a larger value of `metric` is better."""
    return metric not in LOWER_IS_BETTER


def default_metric(task: Task) -> str:
    """Return the metric that ranks candidates if `evaluation.metric` is null."""
    return METRICS[task][0]


def score(
    task: Task,
    X: NDArray[np.float64],
    y: NDArray[Any] | None,
    prediction: Prediction,
    settings: ScoringSettings,
) -> Scores:
    """Compute every metric of `task`; NaN and a reason for those undefined on these rows.

    The values equal those of scikit-learn's functions to the last bit.
    """
    if task is Task.CLUSTERING:
        return score_clusters(X, prediction, settings)
    return score_target(task, y, prediction, settings)


def score_target(
    task: Task,
    y: NDArray[Any] | None,
    prediction: Prediction,
    settings: ScoringSettings,
) -> Scores:
    """Compute every metric of classification or regression, which need no features.

    Raises:
        ValueError: `y` is None.
    """
    if y is None:
        msg = f"scoring {task} needs a target"
        raise ValueError(msg)
    if task is Task.REGRESSION:
        return score_values(y, prediction)
    return score_classes(y, prediction, settings)


def score_values(y: NDArray[np.float64], prediction: Prediction) -> Scores:
    """Compute every metric of regression."""
    predicted = prediction.labels
    values = {
        "rmse": value_metrics.rmse(y, predicted),
        "mae": value_metrics.mae(y, predicted),
        "r2": value_metrics.r2(y, predicted),
    }
    if math.isnan(values["r2"]):
        return Scores(values, {"r2": "R2 needs at least 2 scored rows, there is 1"})
    return Scores(values)


def score_clusters(
    X: NDArray[np.float64],
    prediction: Prediction,
    settings: ScoringSettings,
    distances: Callable[[NDArray[np.float64]], NDArray[np.float64] | None] | None = None,
) -> Scores:
    """Compute every metric of clustering.

    Args:
        X: (n, n_features) the rows.
        prediction: their clusters.
        settings: of the metrics.
        distances: returns the known distances between the rows of the silhouette, or None.
    """
    labels = prediction.labels
    inertia = math.nan if prediction.inertia is None else prediction.inertia
    values = {"silhouette": math.nan, "davies_bouldin": math.nan, "calinski_harabasz": math.nan}
    undefined: dict[str, str] = {}
    reason = _why_no_clusters(labels)
    if reason is None:
        values["davies_bouldin"] = cluster_metrics.davies_bouldin(X, labels)
        values["calinski_harabasz"] = cluster_metrics.calinski_harabasz(X, labels)
        X, labels = _sample(X, labels, settings)
        reason_of_sample = _why_no_clusters(labels)
        if reason_of_sample is None:
            known = None if distances is None else distances(X)
            values["silhouette"] = cluster_metrics.silhouette(X, labels, known)
        else:
            undefined["silhouette"] = f"in the sample, {reason_of_sample}"
    else:
        undefined = dict.fromkeys(values, reason)
    if math.isnan(inertia):
        undefined["inertia"] = "the model returned no inertia"
    return Scores({**values, "inertia": inertia}, undefined)


def _why_no_clusters(labels: NDArray[np.int64]) -> str | None:
    n_labels, n_rows = len(np.unique(labels)), len(labels)
    if n_labels == 1:
        return f"all {n_rows} scored rows are in one cluster, at least 2 clusters are needed"
    if n_labels >= n_rows:
        return f"each of the {n_rows} scored rows is its own cluster, one must have two rows"
    return None


def _sample(
    X: NDArray[np.float64], labels: NDArray[np.int64], settings: ScoringSettings
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the rows that `silhouette_score(sample_size=, random_state=)` would draw."""
    if len(X) <= settings.silhouette_sample:
        return X, labels
    random_state = np.random.RandomState(settings.seed)
    rows = random_state.permutation(len(X))[: settings.silhouette_sample]
    return X[rows], labels[rows]


def score_classes(
    y: NDArray[np.int64], prediction: Prediction, settings: ScoringSettings
) -> Scores:
    """Compute every metric of classification.

    Raises:
        ValueError: the prediction has no probabilities.
    """
    labels, probabilities = prediction.labels, prediction.probabilities
    if probabilities is None:
        msg = "scoring classification needs probabilities"
        raise ValueError(msg)
    n_classes = settings.n_classes
    values = {
        "accuracy": class_metrics.accuracy(y, labels),
        "f1": class_metrics.f1(y, labels, n_classes),
        "roc_auc": math.nan,
        "log_loss": class_metrics.log_loss(y, probabilities),
    }
    absent = np.flatnonzero(np.bincount(y, minlength=n_classes) == 0)
    if len(absent):
        reason = (
            f"no scored row has the class with code {absent[0]}, ROC AUC needs rows of every class"
        )
        return Scores(values, {"roc_auc": reason})
    values["roc_auc"] = class_metrics.roc_auc(y, probabilities, n_classes)
    return Scores(values)


def baselines(split: Split, task: Task, settings: ScoringSettings) -> dict[str, float]:
    """Score a constant prediction on the held-out part; empty for clustering.

    The constant is the majority class of the train part, or for regression the mean of its target.

    Returns:
        The scores as `baseline_<metric>`.
    """
    if task is Task.CLUSTERING or split.y_train is None or split.y_test is None:
        return {}
    if task is Task.REGRESSION:
        constant = split.y_train.mean()
    else:
        constant = np.bincount(split.y_train, minlength=settings.n_classes) / len(split.y_train)
    return constant_scores(task, split.y_test, constant, settings)


def constant_scores(
    task: Task, y: NDArray[Any], constant: float | NDArray[np.float64], settings: ScoringSettings
) -> dict[str, float]:
    """Score one prediction for all rows.

    Args:
        task: classification or regression.
        y: (n,) the target.
        constant: the predicted value, or (n_classes,) the predicted probabilities.
        settings: of the metrics.

    Returns:
        The scores as `baseline_<metric>`.
    """
    if task is Task.REGRESSION:
        prediction = Prediction(np.full(len(y), constant))
    else:
        probabilities = np.tile(constant, (len(y), 1))
        prediction = Prediction(np.full(len(y), np.argmax(constant)), probabilities)
    scores = score_target(task, y, prediction, settings)
    return {f"baseline_{metric}": value for metric, value in scores.values.items()}
