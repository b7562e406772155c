"""The two searches of the report that this project starts from, without any code of ours.

One of them also on a larger table.

The protocol is that of the program: a held-out fifth (stratified for classes), standardised
features for clusters, five shuffled folds, seed 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.metrics import (
    accuracy_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    f1_score,
    log_loss,
    roc_auc_score,
    silhouette_score,
)
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

SEED = 0
FOLDS = 5
FEW_FOLDS = 3  # of the large table
N_CLASSES = 2


@dataclass(frozen=True)
class Study:
    """One search: data, estimator, grid, folds, and how validation rows are scored.

    Attributes:
        model, dataset: overrides that make our program search the same.
        X, y: the train part; y is None for clusters.
        metric: the name of the metric that ranks.
        score: the ranking metric alone; score_all: every metric of the task, by its name.
    """

    name: str
    model: str
    dataset: tuple[str, ...]
    X: np.ndarray
    y: np.ndarray | None
    estimator: Any
    grid: dict[str, list[Any]]
    folds: list[tuple[np.ndarray, np.ndarray]]
    metric: str
    score: Callable[..., float]
    score_all: Callable[..., dict[str, float]]


def make_study(name: str) -> Study:
    """One of the searches by its name."""
    return STUDIES[name]()


def _pima() -> tuple[np.ndarray, np.ndarray]:
    """(768, 8) features and the outcome 0/1, from the table inside the package."""
    with (files("optibench.datasets") / "data" / "pima.csv").open() as text:
        table = pd.read_csv(text)
    return table.drop(columns="outcome").to_numpy(float), table["outcome"].to_numpy()


def _kmeans_study() -> Study:
    X, _ = _pima()
    train, _ = train_test_split(X, test_size=0.2, random_state=SEED)
    train = StandardScaler().fit_transform(train)
    return Study(
        name="kmeans",
        model="kmeans",
        dataset=("dataset=pima",),
        X=train,
        y=None,
        estimator=KMeans(random_state=SEED),
        grid={
            "init": ["k-means++", "random"],
            "max_iter": [100, 200, 300],
            "n_clusters": [2, 5, 8],
            "n_init": [10, 20, 30],
        },
        folds=list(KFold(FOLDS, shuffle=True, random_state=SEED).split(train)),
        metric="silhouette",
        score=score_silhouette,
        score_all=score_clusters,
    )


def _xgboost_study() -> Study:
    return _boosting_study("xgboost", ("dataset=pima",), _pima(), FOLDS)


def _large_study() -> Study:
    """Return the same grid on a train part of 50,000 x 28."""
    X, y = make_classification(
        n_samples=62_500,
        n_features=28,
        n_informative=10,
        n_redundant=0,
        n_classes=N_CLASSES,
        class_sep=1.0,
        random_state=SEED,
    )
    dataset = (
        "dataset=classification",
        "dataset.n_samples=62500",
        "dataset.n_features=28",
        f"evaluation.folds={FEW_FOLDS}",
    )
    return _boosting_study("xgboost-50k", dataset, (X, y), FEW_FOLDS)


def _boosting_study(
    name: str, dataset: tuple[str, ...], table: tuple[np.ndarray, np.ndarray], n_folds: int
) -> Study:
    X, y = table
    X_train, _, y_train, _ = train_test_split(X, y, test_size=0.2, random_state=SEED, stratify=y)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=SEED).split(X_train, y_train)
    return Study(
        name=name,
        model="xgboost",
        dataset=dataset,
        X=X_train,
        y=y_train,
        estimator=XGBClassifier(objective="binary:logistic", random_state=SEED, n_jobs=1),
        grid={"max_depth": [3, 4, 5], "eta": [1, 0.1, 0.2], "subsample": [0.5, 0.7, 1.0]},
        folds=list(folds),
        metric="accuracy",
        score=score_accuracy,
        score_all=score_classes,
    )


def score_silhouette(estimator: Any, X: np.ndarray, _y: object = None) -> float:
    """Silhouette of the labels that the estimator predicts for unseen rows.

    `make_scorer(silhouette_score)` would compare y with labels and score NaN everywhere.
    """
    return float(silhouette_score(X, estimator.predict(X)))


def score_clusters(estimator: Any, X: np.ndarray, _y: object = None) -> dict[str, float]:
    """Every metric of clustering from one prediction."""
    labels = estimator.predict(X)
    return {
        "silhouette": float(silhouette_score(X, labels)),
        "davies_bouldin": float(davies_bouldin_score(X, labels)),
        "calinski_harabasz": float(calinski_harabasz_score(X, labels)),
        "inertia": -float(estimator.score(X)),
    }


def score_accuracy(estimator: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Share of rows whose class is predicted."""
    return float(accuracy_score(y, estimator.predict(X)))


def score_classes(estimator: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Every metric of classification from one prediction."""
    probabilities = estimator.predict_proba(X)
    labels = probabilities.argmax(axis=1)
    return {
        "accuracy": float(accuracy_score(y, labels)),
        "f1": float(f1_score(y, labels)),
        "roc_auc": float(roc_auc_score(y, probabilities[:, 1])),
        "log_loss": float(log_loss(y, probabilities, labels=range(N_CLASSES))),
    }


STUDIES = {"kmeans": _kmeans_study, "xgboost": _xgboost_study, "xgboost-50k": _large_study}
