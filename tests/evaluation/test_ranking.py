from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler

from optibench.datasets.pima import Pima
from optibench.errors import SearchError
from optibench.evaluation.ranking import best, summarise
from optibench.records import Status, Trial

NAN = math.nan


def trial(
    candidate: int, fold: int, value: float, error: str | None = None, metric: str = "accuracy"
) -> Trial:
    return Trial(
        candidate=candidate,
        params={"depth": candidate},
        fold=fold,
        scores={} if error else {metric: value, "other": value / 2},
        fit_seconds=1.0 + fold,
        score_seconds=0.5,
        cpu_seconds=2.0,
        worker="w",
        start=10.0 * candidate + fold,
        end=10.0 * candidate + fold + 1,
        status=Status.FAILED if error else Status.FINISHED,
        error=error,
    )


def test_means_ranks_and_winner_are_those_of_grid_search() -> None:
    frame = Pima().load(0).frame.head(150)
    X = StandardScaler().fit_transform(frame.drop(columns="outcome"))
    folds = KFold(5, shuffle=True, random_state=0)
    grid = {"n_clusters": [2, 3, 5], "max_iter": [100, 200], "n_init": [1]}
    search = GridSearchCV(
        KMeans(random_state=0),
        grid,
        cv=folds,
        scoring=lambda estimator, rows, _=None: silhouette_score(rows, estimator.predict(rows)),
    ).fit(X)
    table = search.cv_results_
    trials = [
        trial(number, fold, table[f"split{fold}_test_score"][number])
        for number in range(6)
        for fold in range(5)
    ]
    results = summarise(trials[::-1], "accuracy", 5)
    assert [r.mean_scores["accuracy"] for r in results] == table["mean_test_score"].tolist()
    assert np.allclose(
        [r.std_scores["accuracy"] for r in results], table["std_test_score"], rtol=1e-12
    )
    assert [r.rank for r in results] == table["rank_test_score"].tolist()
    assert best(results).number == search.best_index_


def test_lower_is_better_metrics_rank_ascending() -> None:
    trials = [trial(n, 0, value, metric="log_loss") for n, value in enumerate([0.5, 0.2, 0.9])]
    assert [r.rank for r in summarise(trials, "log_loss", 1)] == [2, 1, 3]


def test_ties_share_the_smaller_rank_and_the_first_wins() -> None:
    results = summarise(
        [trial(n, 0, v) for n, v in enumerate([0.1, 0.8, 0.8, 0.5])], "accuracy", 1
    )
    assert [r.rank for r in results] == [4, 1, 1, 3]
    assert best(results[::-1]).number == 1


def test_failed_missing_and_non_finite_folds_fail_the_candidate_and_rank_it_last() -> None:
    trials = [
        *(trial(0, fold, 0.9) for fold in range(2)),
        trial(1, 0, 0.9),
        trial(1, 1, 0.0, error="boom"),
        trial(2, 0, 0.9),
        trial(2, 1, NAN),
        trial(3, 0, 0.95),
    ]
    results = summarise(trials, "accuracy", 2)
    assert [r.status for r in results] == [Status.FINISHED, *[Status.FAILED] * 3]
    assert [r.rank for r in results] == [1, 2, 2, 2]
    assert [r.error for r in results] == [
        None,
        "boom",
        "accuracy is nan on a fold",
        "only 1 of 2 folds were run",
    ]
    assert math.isnan(results[2].mean_scores["accuracy"])
    assert best(results).number == 0


def test_an_undefined_metric_that_does_not_rank_harms_nobody() -> None:
    one = trial(0, 0, 0.9)
    scores = {"accuracy": 0.9, "roc_auc": NAN}
    results = summarise([Trial(**{**vars(one), "scores": scores})], "accuracy", 1)
    assert results[0].status is Status.FINISHED
    assert math.isnan(results[0].mean_scores["roc_auc"])


def test_times_are_means_and_cpu_is_a_sum() -> None:
    (result,) = summarise([trial(7, 1, 0.1), trial(7, 0, 0.2)], "accuracy", 2)
    assert (result.number, result.params) == (7, {"depth": 7})
    assert (result.mean_fit_seconds, result.mean_score_seconds, result.cpu_seconds) == (
        1.5,
        0.5,
        4.0,
    )
    assert (result.start, result.end) == (70.0, 72.0)


def test_a_search_without_a_finite_score_names_its_causes() -> None:
    trials = [trial(n, 0, 0.0, error=f"cause {n % 4}") for n in range(8)]
    with pytest.raises(SearchError) as caught:
        best(summarise(trials, "accuracy", 1))
    assert "None of the 8 candidates has a finite score" in str(caught.value)
    assert "cause 0 (2 candidates)" in str(caught.value)
    assert "and 1 further causes" in str(caught.value)
    with pytest.raises(SearchError, match="evaluated no candidate"):
        best(summarise([], "accuracy", 5))
