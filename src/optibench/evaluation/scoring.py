"""One scoring function per task: the same on every backend, in the driver and in every worker.

It runs once per trial (270 times in the K-means grid of the report), inside the measured time.
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
    """What the metrics depend on beside the rows.

    Attributes:
        silhouette_sample: rows on which the silhouette is computed at most, drawn with `seed`.
        seed: of that draw.
        n_classes: classes of the whole table; 0 where there are none.
    """

    silhouette_sample: int = 10_000
    seed: int = 0
    n_classes: int = 0


def greater_is_better(metric: str) -> bool:
    """True where a larger value of `metric` ranks first."""
    return metric not in LOWER_IS_BETTER


def default_metric(task: Task) -> str:
    """The metric that ranks candidates where `evaluation.metric` is null."""
    return METRICS[task][0]


def score(
    task: Task,
    X: NDArray[np.float64],
    y: NDArray[Any] | None,
    prediction: Prediction,
    settings: ScoringSettings,
) -> Scores:
    """Compute every metric of `task`; NaN with a reason where one is not defined on these rows.

    The values are those of scikit-learn's functions to the last bit.
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
    """Every metric of a task with a target, which needs no features.

    Raises:
        ValueError: there is no target to compare with.
    """
    if y is None:
        msg = f"{task} is scored from a target"
        raise ValueError(msg)
    if task is Task.REGRESSION:
        return score_values(y, prediction)
    return score_classes(y, prediction, settings)


def score_values(y: NDArray[np.float64], prediction: Prediction) -> Scores:
    """Every metric of regression."""
    predicted = prediction.labels
    values = {
        "rmse": value_metrics.rmse(y, predicted),
        "mae": value_metrics.mae(y, predicted),
        "r2": value_metrics.r2(y, predicted),
    }
    if math.isnan(values["r2"]):
        return Scores(values, {"r2": "a single row is scored, R2 needs at least 2"})
    return Scores(values)


def score_clusters(
    X: NDArray[np.float64],
    prediction: Prediction,
    settings: ScoringSettings,
    distances: Callable[[NDArray[np.float64]], NDArray[np.float64] | None] | None = None,
) -> Scores:
    """Every metric of clustering.

    `distances` gives those between the rows that the silhouette is computed on where they are at
    hand, else None.
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
        undefined["inertia"] = "the model gave none"
    return Scores({**values, "inertia": inertia}, undefined)


def _why_no_clusters(labels: NDArray[np.int64]) -> str | None:
    n_labels, n_rows = len(np.unique(labels)), len(labels)
    if n_labels == 1:
        return f"all {n_rows} scored rows fall in one cluster, at least 2 clusters are needed"
    if n_labels >= n_rows:
        return f"each of the {n_rows} scored rows is a cluster of its own, one must have two rows"
    return None


def _sample(
    X: NDArray[np.float64], labels: NDArray[np.int64], settings: ScoringSettings
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw the rows that `silhouette_score(sample_size=, random_state=)` would draw."""
    if len(X) <= settings.silhouette_sample:
        return X, labels
    random_state = np.random.RandomState(settings.seed)
    rows = random_state.permutation(len(X))[: settings.silhouette_sample]
    return X[rows], labels[rows]


def score_classes(
    y: NDArray[np.int64], prediction: Prediction, settings: ScoringSettings
) -> Scores:
    """Every metric of classification.

    Raises:
        ValueError: there are no probabilities.
    """
    labels, probabilities = prediction.labels, prediction.probabilities
    if probabilities is None:
        msg = "classification is scored from probabilities, too"
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
    """Score a constant on the held-out part, as `baseline_<metric>`; empty for clustering.

    The constant is the majority class of the train part, or for regression its mean.
    """
    if task is Task.CLUSTERING or split.y_train is None or split.y_test is None:
        return {}
    if task is Task.REGRESSION:
        constant = split.y_train.mean()
    else:
        constant = np.bincount(split.y_train, minlength=settings.n_classes) / len(split.y_train)
    return constant_scores(task, split.y_test, constant, settings)


def constant_scores(
    task: Task, y: NDArray[Any], constant: Any, settings: ScoringSettings
) -> dict[str, float]:
    """Score one answer for all rows, as `baseline_<metric>`.

    Args:
        task: with a target.
        y: (n,) the target.
        constant: the value, or (n_classes,) the probabilities, of which the largest is the class.
        settings: of the metrics.
    """
    if task is Task.REGRESSION:
        prediction = Prediction(np.full(len(y), constant))
    else:
        probabilities = np.tile(constant, (len(y), 1))
        prediction = Prediction(np.full(len(y), np.argmax(constant)), probabilities)
    scores = score_target(task, y, prediction, settings)
    return {f"baseline_{metric}": value for metric, value in scores.values.items()}
