"""Small benchmarks on clusters that somebody else has started, and what they have to find."""

import json

import pytest
from tests.backends.clusters import run

SMALL = [
    "model=kmeans",
    "model.space.n_clusters=[2,3]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "progress=false",
]
BOOSTED = [
    "model=xgboost",
    "model.space.max_depth=[2,3]",
    "model.space.subsample=[0.7]",
    "model.params.n_estimators=10",
    "progress=false",
]
BY_TRIALS = [
    pytest.param("kmeans", SMALL, id="kmeans"),
    pytest.param("xgboost", BOOSTED, id="xgboost"),
]
TREES = [
    "model=xgboost",
    "model.space.max_depth=[2,3]",
    "model.params.n_estimators=60",
    "evaluation.folds=2",
    "evaluation.default_fit=false",
    "backend.parallelism=data",
    "progress=false",
]
CLUSTERS = [
    "model=kmeans",
    "dataset=iris",
    "evaluation.folds=2",
    "evaluation.default_fit=false",
    "model.space.n_clusters=[3]",
    "model.space.init=[random]",
    "model.space.max_iter=[10]",
    "model.space.n_init=[1]",
    "backend.parallelism=data",
    "progress=false",
]

OWN = "the workers descend from this process and are measured with it"
# Starting a Spark session and its executor takes longer than most of these runs.
KEEP = "backend.keep_alive=true"


def scores(result):
    return [trial.scores for trial in result.trials]


def assert_clusters_are_found(*words):
    """Scikit-learn finds 139.8 on all rows of iris, standardised."""
    result, tracker = run(*CLUSTERS, *words)
    assert result.metrics["train_inertia"] + result.metrics["inertia"] < 1.1 * 139.82
    recorded = json.loads(tracker.artifacts["profile/engine.json"])
    assert list(recorded["phases"]) == ["search", "fit", "score"]
    assert all(part["total"]["cpu_seconds"] > 0 for part in recorded["phases"].values())
    return result, tracker, recorded
