"""The memory that a worker uses for its folds, and its release."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from optibench.evaluation.scoring import ScoringSettings
from optibench.models.xgboost import XGBoost
from optibench.records import Batch, Candidate, DataFacts, Unit
from optibench.trials.context import TrialContext
from optibench.trials.fold import SMALL_BYTES
from optibench.trials.worker import run_batch

N_FOLDS = 3


def context_of(n_rows, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    parts = np.array_split(np.arange(n_rows), N_FOLDS)
    folds = tuple((np.setdiff1d(np.arange(n_rows), part), part) for part in parts)
    return TrialContext(
        model=XGBoost(),
        X=X,
        y=(X[:, 0] > 0).astype(int),
        folds=folds,
        facts=DataFacts(2, None),
        scoring=ScoringSettings(10_000, 0, 2),
        metric="accuracy",
        seed=0,
        threads=1,
        profiling=False,
        cache_bytes=2**30,
    )


def candidate_by_candidate(n_candidates):
    """Return units in the order of a search with a limit: all folds of each candidate."""
    return tuple(
        Unit((Candidate(i, {"n_estimators": 1, "max_depth": 1 + i}),), fold)
        for i in range(n_candidates)
        for fold in range(N_FOLDS)
    )


@pytest.mark.parametrize("n_rows", [1_000, 80_000])
def test_each_fold_is_quantised_once_in_whatever_order_its_trials_come(n_rows, monkeypatch):
    import xgboost

    made = []
    real = xgboost.QuantileDMatrix.__init__

    def counted(self, data, *args, **kwargs):
        made.append(len(data))
        real(self, data, *args, **kwargs)

    monkeypatch.setattr(xgboost.QuantileDMatrix, "__init__", counted)
    context = context_of(n_rows, 28)
    run_batch(context, Batch(candidate_by_candidate(3), 1000.0))
    assert len(made) == N_FOLDS


def test_the_rows_that_are_kept_of_all_folds_together_are_few():
    context = context_of(80_000, 28)
    run_batch(context, Batch(candidate_by_candidate(2), 1000.0))
    held = context.fold_cache._folds.values()
    assert sum(fold.rows_bytes for fold in held) <= 2 * SMALL_BYTES
    assert sum(fold.X_train.nbytes for fold in held) > 2 * SMALL_BYTES


def test_what_is_held_goes_with_the_context_at_once():
    context = context_of(1_000, 4)
    run_batch(context, Batch(candidate_by_candidate(1), 1000.0))
    fold = weakref.ref(next(iter(context.fold_cache._folds.values())))
    assert not replace(context).fold_cache._folds
    gc.disable()
    try:
        del context
        assert fold() is None
    finally:
        gc.enable()
