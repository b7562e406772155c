from __future__ import annotations

import numpy as np
from sklearn import cluster

from optibench.models.kmeans import KMeans
from optibench.records import DataFacts

FACTS = DataFacts(0, None)


def test_the_estimator_is_scikit_learns_with_defaults_and_seed() -> None:
    estimator = KMeans().make({}, FACTS, seed=3, threads=2)
    assert estimator.get_params() == cluster.KMeans(random_state=3).get_params()
    changed = KMeans().make({"n_clusters": 2, "init": "random"}, FACTS, seed=3, threads=2)
    assert changed.get_params()["n_clusters"] == 2


def test_labels_are_nearest_centres_and_inertia_is_of_the_asked_rows() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = KMeans()
    estimator = model.make({"n_clusters": 4, "n_init": 2}, FACTS, seed=0, threads=1).fit(X[:150])
    prediction = model.predict(estimator, X[150:])
    squared = ((X[150:, None, :] - estimator.cluster_centers_) ** 2).sum(axis=2)
    assert prediction.labels.dtype == np.int64
    assert np.array_equal(prediction.labels, squared.argmin(axis=1))
    assert np.isclose(prediction.inertia, squared.min(axis=1).sum(), rtol=1e-12)
    assert prediction.inertia == -estimator.score(X[150:])
    assert prediction.probabilities is None
