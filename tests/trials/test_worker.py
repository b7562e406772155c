"""Batches in a worker, run in this process."""

import time
from dataclasses import replace

import numpy as np
import pytest

from optibench.evaluation.scoring import ScoringSettings
from optibench.models.kmeans import KMeans
from optibench.models.xgboost import XGBoost
from optibench.records import Batch, Candidate, DataFacts, Status, Unit
from optibench.trials.context import TrialContext
from optibench.trials.worker import run_batch


@pytest.fixture
def context():
    """Return a context of two blobs and two folds."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal(9, 1, (40, 2))])
    rows = np.arange(80)
    folds = ((rows[::2], rows[1::2]), (rows[:40], rows[40:]))
    return TrialContext(
        model=KMeans(),
        X=X,
        y=None,
        folds=folds,
        facts=DataFacts(0, None),
        scoring=ScoringSettings(),
        metric="silhouette",
        seed=0,
        threads=1,
        profiling=True,
    )


def unit(fold=0, **params):
    return Unit((Candidate(0, {"n_clusters": 2, **params}),), fold)


def test_a_trial_reports_what_it_cost_and_where_it_ran(context):
    run_batch(context, Batch((unit(),), 10.0))  # imports what a worker has imported beforehand
    (trial,) = run_batch(context, Batch((unit(),), 10.0)).trials
    assert trial.status is Status.FINISHED
    assert trial.scores["silhouette"] > 0.7
    assert trial.fit_seconds > 0
    assert trial.score_seconds > 0
    spent = trial.fit_seconds + trial.score_seconds
    assert spent <= trial.end - trial.start < spent + 0.1
    assert trial.cpu_seconds > 0
    assert ":" in trial.worker


def test_what_is_not_begun_in_the_time_slice_comes_back(context):
    outcome = run_batch(context, Batch((unit(), unit(1), unit(0)), 0.0))
    assert len(outcome.trials) == 1
    assert outcome.leftover == (unit(1), unit(0))


def test_nothing_is_begun_after_the_moment_given(context):
    outcome = run_batch(context, Batch((unit(), unit(1)), 10.0, begin_before=time.time() - 1))
    assert outcome.trials == ()
    assert outcome.leftover == (unit(), unit(1))


def test_a_fit_that_raises_is_a_failed_trial_with_its_reason(context):
    outcome = run_batch(context, Batch((unit(n_clusters=500), unit()), 10.0))
    failed, finished = outcome.trials
    assert failed.status is Status.FAILED
    assert failed.error.startswith("ValueError: n_samples=40 should be >= n_clusters=500")
    assert finished.status is Status.FINISHED


def test_a_fold_without_a_silhouette_says_why(context):
    one_place = replace(context, X=np.vstack([context.X[:40], np.ones((40, 2))]))
    (trial,) = run_batch(one_place, Batch((unit(1),), 10.0)).trials
    assert trial.status is Status.FAILED
    assert "one cluster" in trial.error
    assert np.isnan(trial.scores["silhouette"])


def test_threads_are_held_to_the_budget_while_a_trial_runs(context):
    from threadpoolctl import threadpool_info

    seen = []

    class Spy(KMeans):
        def predict(self, estimator, X):
            seen.extend(pool["num_threads"] for pool in threadpool_info())
            return super().predict(estimator, X)

    plain = replace(context, model=Spy(), reuse=False)
    run_batch(plain, Batch((unit(),), 10.0))
    assert set(seen) == {1}


def test_equal_causes_have_equal_messages(context):
    """XGBoost's messages start with the time of day and end with addresses."""
    classes = replace(
        context,
        model=XGBoost(),
        y=np.arange(80) % 2,
        facts=DataFacts(2, None),
        scoring=ScoringSettings(10_000, 0, 2),
        metric="accuracy",
    )
    params = {"tree_method": "exact", "max_depth": 0}
    (trial,) = run_batch(classes, Batch((Unit((Candidate(0, params),), 0),), 10.0)).trials
    assert trial.error.startswith("XGBoostError: ")
    assert trial.error.endswith("exact tree method doesn't support unlimited depth.")
    assert "[" not in trial.error
