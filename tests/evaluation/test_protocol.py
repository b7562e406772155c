"""The whole protocol on Pima gives the published winners."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits

from optibench.datasets.encoding import data_facts, encode
from optibench.datasets.pima import Pima
from optibench.evaluation.ranking import best, summarise
from optibench.evaluation.scoring import ScoringSettings, default_metric, score
from optibench.evaluation.settings import EvaluationSettings
from optibench.evaluation.split import SplitPlan, scaling_on, split
from optibench.models.kmeans import KMeans
from optibench.models.xgboost import XGBoost
from optibench.records import CandidateResult, Status, Trial


def search(model: Any, grid: dict[str, list[Any]]) -> CandidateResult:
    task = model.task
    dataset = encode(Pima().load(0), task)
    parts = split(dataset, SplitPlan(task, EvaluationSettings(), scaling_on("auto", task), seed=0))
    recorded = ScoringSettings(seed=0, n_classes=len(dataset.classes))
    trials = []
    for (number, params), (fold, (fit_rows, check)) in itertools.product(
        enumerate(ParameterGrid(grid)), enumerate(parts.folds)
    ):
        y, start = parts.y_train, time.time()
        estimator = model.make(params, data_facts(dataset), seed=0, threads=1)
        estimator.fit(parts.X_train[fit_rows], None if y is None else y[fit_rows])
        X = parts.X_train[check]
        scores = score(
            task, X, None if y is None else y[check], model.predict(estimator, X), recorded
        )
        assert scores.undefined == {}
        trials.append(
            Trial(number, params, fold, scores.values, 0.0, 0.0, 0.0, "here", start, time.time())
        )
    return best(summarise(trials, default_metric(task), 5))


# The points of the report's grids that contain the winners, and their nearest rivals.
@pytest.mark.parametrize(
    ("model", "grid", "winner", "value"),
    [
        (
            KMeans(),
            {
                "init": ["k-means++", "random"],
                "max_iter": [100],
                "n_clusters": [2, 5],
                "n_init": [10, 20],
            },
            {"init": "k-means++", "max_iter": 100, "n_clusters": 2, "n_init": 20},
            0.19129454365503507,
        ),
        (
            XGBoost(),
            {"eta": [0.1, 0.2], "max_depth": [3, 4], "subsample": [0.7, 1.0]},
            {"eta": 0.1, "max_depth": 3, "subsample": 1.0},
            0.7621751299480208,
        ),
    ],
)
def test_the_published_winner_comes_out(
    model: Any, grid: dict[str, list[Any]], winner: dict[str, Any], value: float
) -> None:
    with threadpool_limits(1):
        result = search(model, grid)
    assert result.params == winner
    assert result.mean_scores[default_metric(model.task)] == pytest.approx(value, rel=1e-12)
    assert result.status is Status.FINISHED
