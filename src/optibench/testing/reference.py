"""The scores that trials must have, computed without an engine and without OptiBench's scoring.

The split, the folds, the scaler and the metrics are scikit-learn's. Of the model its own `make`,
`fit` and `predict` are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from optibench.datasets.encoding import data_facts, encode
from optibench.records import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from optibench.config.schema import Config
    from optibench.contracts import Model
    from optibench.records import Dataset, Params, Prediction

    Metrics = Mapping[str, float]
    Rows = NDArray[np.float64]
    Target = NDArray[Any] | None

BINARY = 2


def expected_scores(
    config: Config, candidates: Sequence[Params]
) -> dict[tuple[int, int], dict[str, float]]:
    """Return the scores by candidate number and fold, from plain fits with one thread.

    Args:
        config: with evaluation.test_size, folds and seed; scaling is that of `dataset.scale=auto`.
        candidates: the hyperparameters, in the order in which they are numbered.
    """
    seed, task = config.top.seed, config.model.task
    dataset = encode(config.dataset.load(seed), task)
    X, y = _train_part(dataset, task, config.evaluation.test_size, seed)
    folds = list(_folds(X, y, task, config.evaluation.folds, seed))
    scores = {}
    with threadpool_limits(1):
        for number, params in enumerate(candidates):
            for fold, (fit, check) in enumerate(folds):
                target = None if y is None else y[fit]
                predict = _fitted(config.model, params, dataset, (X[fit], target), seed)
                truth = None if y is None else y[check]
                scores[number, fold] = metrics_of(task, X[check], truth, predict(X[check]))
    return scores


def metrics_of(task: Task, X: Rows, y: Target, prediction: Prediction) -> dict[str, float]:
    """Score predictions with scikit-learn's functions; undefined metrics are left out."""
    from sklearn import metrics

    labels, chances = prediction.labels, prediction.probabilities
    if task is Task.REGRESSION:
        return {
            "rmse": float(metrics.root_mean_squared_error(y, labels)),
            "mae": float(metrics.mean_absolute_error(y, labels)),
            "r2": float(metrics.r2_score(y, labels)),
        }
    if task is Task.CLUSTERING:
        inertia = {} if prediction.inertia is None else {"inertia": prediction.inertia}
        if not 1 < len(set(labels.tolist())) < len(X):
            return inertia
        return inertia | {
            "silhouette": float(metrics.silhouette_score(X, labels)),
            "davies_bouldin": float(metrics.davies_bouldin_score(X, labels)),
            "calinski_harabasz": float(metrics.calinski_harabasz_score(X, labels)),
        }
    assert chances is not None, "a classifier gives probabilities"
    binary = chances.shape[1] == BINARY
    return {
        "accuracy": float(metrics.accuracy_score(y, labels)),
        "f1": float(metrics.f1_score(y, labels, average="binary" if binary else "macro")),
        "roc_auc": float(
            metrics.roc_auc_score(y, chances[:, 1] if binary else chances, multi_class="ovr")
        ),
        "log_loss": float(metrics.log_loss(y, chances)),
    }


def _train_part(dataset: Dataset, task: Task, test_size: float, seed: int) -> tuple[Rows, Target]:
    """Take the train part, standardised for clustering."""
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = dataset.X, dataset.y
    if y is None:
        train, _ = train_test_split(X, test_size=test_size, random_state=seed)
        return StandardScaler().fit_transform(train), None
    strata = y if task is Task.CLASSIFICATION else None
    train, _, target, _ = train_test_split(
        X, y, test_size=test_size, random_state=seed, stratify=strata
    )
    return train, target


def _folds(X: Rows, y: Target, task: Task, folds: int, seed: int) -> Any:
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if task is Task.CLASSIFICATION else KFold
    return kind(folds, shuffle=True, random_state=seed).split(X, y)


def _fitted(
    model: Model, params: Params, dataset: Dataset, rows: tuple[Rows, Target], seed: int
) -> Callable[[Rows], Prediction]:
    """Fit one estimator; return what asks it."""
    unfitted = model.make(params, data_facts(dataset), seed=seed, threads=1)
    estimator = model.fit(unfitted, *rows, seed=seed)
    return lambda X: model.predict(estimator, X)
