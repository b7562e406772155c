"""The guarantee of search.reuse: results equal to the last bit to a search without it."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import cluster
from sklearn.model_selection import KFold, StratifiedKFold
from xgboost import XGBClassifier

from optibench.evaluation.scoring import ScoringSettings
from optibench.models import xgboost_fit_sharing
from optibench.models.estimator import ImportedEstimator
from optibench.models.kmeans import KMeans
from optibench.models.kmeans_fit_sharing import same_clustering
from optibench.models.xgboost import XGBoost
from optibench.records import Batch, Candidate, DataFacts, Reused, Status, Unit
from optibench.trials.context import TrialContext
from optibench.trials.fit_groups import group
from optibench.trials.worker import run_batch

FOLDS = 2


def context_of(model, X, y=None, *, types=None, seed=0):
    splitter = (KFold if y is None else StratifiedKFold)(FOLDS, shuffle=True, random_state=seed)
    n_classes = 0 if y is None else len(np.unique(y))
    return TrialContext(
        model=model,
        X=X,
        y=y,
        folds=tuple(splitter.split(X, y)),
        facts=DataFacts(n_classes, types),
        scoring=ScoringSettings(10_000, seed, n_classes),
        metric="silhouette" if y is None else "accuracy",
        seed=seed,
        threads=1,
        profiling=False,
    )


def run(context, candidates):
    """Return all trials by candidate and fold, run in the units of a search."""
    wanted = [(c, fold) for c in candidates for fold in range(len(context.folds))]
    fit_sharing = context.model.fit_sharing if context.reuse else None
    units = tuple(group(wanted, fit_sharing))
    trials = run_batch(context, Batch(units, 1000.0)).trials
    return {(trial.candidate, trial.fold): trial for trial in trials}


def assert_same_bits(shared, plain):
    assert set(shared) == set(plain)
    for place, trial in shared.items():
        assert trial.status is plain[place].status
        assert trial.error == plain[place].error
        for name, value in plain[place].scores.items():
            own = trial.scores[name]
            assert own == value or (math.isnan(own) and math.isnan(value)), (place, name)


def blobs(seed, rows, width=3):
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (4, width))
    return centres[rng.integers(0, 4, rows)] + rng.normal(0, 1, (rows, width))


kmeans_spaces = st.lists(
    st.fixed_dictionaries(
        {"n_clusters": st.sampled_from([2, 3, 6])},
        optional={
            "init": st.sampled_from(["k-means++", "random"]),
            "n_init": st.sampled_from([1, 2, 5, 9, "auto"]),
            "max_iter": st.sampled_from([1, 2, 3, 5, 8, 100, 300]),
            "tol": st.sampled_from([0, 1e-4, 0.1]),
            "algorithm": st.sampled_from(["lloyd", "elkan"]),
        },
    ),
    min_size=1,
    max_size=12,
)


@given(kmeans_spaces, st.integers(0, 2**32 - 1), st.sampled_from([12, 60, 200]))
def test_kmeans_scores_are_those_of_plain_fits_to_the_last_bit(space, seed, rows):
    context = context_of(KMeans(), blobs(seed, rows), seed=seed)
    candidates = [Candidate(i, params) for i, params in enumerate(space)]
    assert_same_bits(run(context, candidates), run(replace(context, reuse=False), candidates))


xgboost_spaces = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "n_estimators": st.sampled_from([1, 3, 7, 12, None]),
            "max_depth": st.sampled_from([1, 3, 0]),
            "eta": st.sampled_from([1, 0.3, 0.05]),
            "subsample": st.sampled_from([0.5, 1.0]),
            "colsample_bytree": st.sampled_from([0.5, 1]),
            "max_bin": st.sampled_from([2, 16, 256, 300]),
            "tree_method": st.sampled_from(["hist", "exact", "approx", "auto"]),
            "num_parallel_tree": st.sampled_from([1, 2]),
            "booster": st.sampled_from(["gbtree", "dart"]),
            "early_stopping_rounds": st.sampled_from([2]),
        },
    ).filter(lambda p: not (p.get("booster") == "dart" and "early_stopping_rounds" in p)),
    min_size=1,
    max_size=8,
)


@pytest.mark.slow
@given(xgboost_spaces, st.integers(0, 1000), st.sampled_from([2, 3]), st.booleans())
def test_xgboost_scores_are_those_of_plain_fits_to_the_last_bit(space, seed, n_classes, gaps):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(120, 4))
    y = (X[:, 0] + rng.normal(size=120) > 0).astype(int) + (n_classes == 3) * (X[:, 1] > 0.5)
    types = None
    if gaps:
        X[rng.random(X.shape) < 0.1] = np.nan
        X[:, 3] = rng.integers(0, 5, 120)
        types = ("q", "q", "q", "c")
        space = [{k: v for k, v in p.items() if v != "exact"} for p in space]
    context = context_of(XGBoost(), X, y, types=types, seed=seed)
    candidates = [Candidate(i, params) for i, params in enumerate(space)]
    assert_same_bits(run(context, candidates), run(replace(context, reuse=False), candidates))


def test_one_stream_of_starts_serves_all_candidates_of_a_family():
    """Run the grid of the report: 6 streams of 30 starts per fold, not 54 fits of 10 to 30."""
    context = context_of(KMeans(), blobs(0, 150))
    grid = [
        {"init": init, "max_iter": m, "n_clusters": k, "n_init": n}
        for init in ("k-means++", "random")
        for m in (100, 200, 300)
        for k in (2, 5, 8)
        for n in (10, 20, 30)
    ]
    starts = []

    class Counted(cluster.KMeans):
        def fit(self, X, y=None, sample_weight=None):
            starts.append(self.n_init)
            return super().fit(X, y, sample_weight)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "KMeans", Counted)
        trials = run(context, [Candidate(i, params) for i, params in enumerate(grid)])
    assert starts == [1] * (6 * 30 * FOLDS)
    reused = sum(trial.reused is Reused.FIT for trial in trials.values())
    assert reused == (54 - 6) * FOLDS


def test_a_path_over_trees_is_one_fit(monkeypatch):
    rounds = []
    real = xgboost_fit_sharing.boost

    def counted(booster, matrix, more):
        rounds.extend(more)
        real(booster, matrix, more)

    monkeypatch.setattr(xgboost_fit_sharing, "boost", counted)
    X = blobs(1, 100)
    context = context_of(XGBoost(), X, (X[:, 0] > 0).astype(int))
    run(context, [Candidate(i, {"n_estimators": n}) for i, n in enumerate((5, 40, 20, 10))])
    assert rounds == [*range(40)] * FOLDS


def test_an_error_in_a_later_round_has_the_message_of_xgboost(monkeypatch):
    import xgboost

    X = blobs(1, 100)
    matrix = xgboost.QuantileDMatrix(X, label=(X[:, 0] > 0).astype(int))
    booster = xgboost.Booster({"tree_method": "hist", "max_depth": 2}, [matrix])
    booster.update(matrix, 0)
    other = xgboost.QuantileDMatrix(X[:, :1], label=(X[:, 0] > 0).astype(int))
    monkeypatch.setattr(xgboost.Booster, "update", lambda *_: None)  # the first of them goes well
    with pytest.raises(xgboost.core.XGBoostError, match="num_feature"):
        xgboost_fit_sharing.boost(booster, other, range(1, 3))


def test_one_matrix_per_fold_serves_all_candidates_with_the_same_bins(monkeypatch):
    import xgboost

    made = []
    real = xgboost.QuantileDMatrix.__init__

    def counted(self, *args, **kwargs):
        made.append(kwargs["max_bin"])
        real(self, *args, **kwargs)

    monkeypatch.setattr(xgboost.QuantileDMatrix, "__init__", counted)
    X = blobs(1, 100)
    context = context_of(XGBoost(), X, (X[:, 0] > 0).astype(int))
    space = [
        {"max_depth": d, "n_estimators": 2, "max_bin": b} for d in (1, 2, 3) for b in (16, 256)
    ]
    trials = run(context, [Candidate(i, params) for i, params in enumerate(space)])
    assert sorted(made) == [16, 16, 256, 256]
    assert [t.reused for t in trials.values()].count(Reused.MATRIX) == FOLDS * (6 - 2)


def test_what_is_paid_adds_up_and_alone_each_would_have_paid_more():
    context = context_of(KMeans(), blobs(0, 400))
    space = [{"n_clusters": 5, "n_init": n} for n in (10, 20, 30)]
    candidates = [Candidate(i, params) for i, params in enumerate(space)]
    shared = run(context, candidates)
    paid = sum(t.cpu_seconds for t in shared.values())
    alone = sum(t.standalone_cpu_seconds for t in shared.values())
    assert 1.5 < alone / paid < 2.5  # 10 + 20 + 30 starts, of which 30 were run
    for trial in run(replace(context, reuse=False), candidates).values():
        assert trial.standalone_cpu_seconds == trial.cpu_seconds
        assert trial.reused is Reused.NOTHING


def test_distances_beyond_the_room_of_a_fold_are_not_kept_and_nothing_changes():
    context = context_of(KMeans(), blobs(3, 400))
    candidates = [Candidate(i, {"n_clusters": k, "n_init": 1}) for i, k in enumerate((2, 3, 4))]
    tight = run(replace(context, cache_bytes=0), candidates)
    assert_same_bits(tight, run(context, candidates))
    assert {t.reused for t in tight.values()} == {Reused.NOTHING}


def test_a_family_that_cannot_be_fitted_fails_as_each_of_it_would_alone():
    context = context_of(KMeans(), blobs(0, 40))
    space = [{"n_clusters": 500, "n_init": 2}, {"n_clusters": 500, "n_init": 1}, {"n_clusters": 2}]
    trials = run(context, [Candidate(i, params) for i, params in enumerate(space)])
    failed = [t for t in trials.values() if t.status is Status.FAILED]
    assert {t.candidate for t in failed} == {0, 1}
    assert all("n_clusters=500" in t.error for t in failed)


def going_on(context, first, then):
    """Return the trial of a candidate that continues a fit, in a worker without its cache."""
    start = Candidate(0, first, resumable=True)
    (done,) = run_batch(context, Batch((Unit((start,), 0),), 1000.0)).units
    unit = Unit((Candidate(1, then, continues=0),), 0, states=done.states)
    other = replace(context)  # another context: nothing is kept
    trial = run_batch(other, Batch((unit,), 1000.0)).trials[0]
    assert trial.reused in (Reused.NOTHING, Reused.BEGINNING)
    return trial


@pytest.mark.parametrize("reuse", [True, False])
def test_boosting_that_goes_on_is_one_long_fit(reuse):
    X = blobs(1, 100)
    context = replace(context_of(XGBoost(), X, (X[:, 0] > 0).astype(int)), reuse=reuse)
    trial = going_on(context, {"n_estimators": 5}, {"n_estimators": 25})
    plain = run(context, [Candidate(0, {"n_estimators": 25})])[0, 0]
    assert trial.scores == plain.scores
    assert trial.reused is Reused.BEGINNING
    train, check = context.folds[0]
    model = XGBClassifier(n_estimators=25, n_jobs=1, random_state=0)
    model.fit(X[train], context.y[train])
    assert trial.scores["accuracy"] == model.score(X[check], context.y[check])


def test_starts_that_go_on_are_one_long_stream():
    context = context_of(KMeans(), blobs(5, 120))
    first, then = ({"n_clusters": 6, "init": "random", "n_init": n} for n in (3, 12))
    assert going_on(context, first, then).scores == run(context, [Candidate(0, then)])[0, 0].scores


@pytest.mark.parametrize(
    ("model", "first", "then"),
    [
        (XGBoost(), {"max_depth": 1, "n_estimators": 9}, {"max_depth": 6, "n_estimators": 9}),
        (XGBoost(), {"n_estimators": 9}, {"n_estimators": 4}),
        (KMeans(), {"n_clusters": 2, "n_init": 3}, {"n_clusters": 6, "n_init": 3}),
        (KMeans(), {"n_clusters": 6, "n_init": 5}, {"n_clusters": 6, "n_init": 2}),
    ],
)
def test_what_is_no_longer_fit_of_the_same_begins_anew(model, first, then):
    X = blobs(5, 120)
    y = (X[:, 0] > 0).astype(int) if isinstance(model, XGBoost) else None
    context = context_of(model, X, y)
    assert going_on(context, first, then).scores == run(context, [Candidate(0, then)])[0, 0].scores


def test_who_shares_a_fit_that_failed_pays_for_it(monkeypatch):
    def spend(*_args, **_kwargs):
        begin = time.process_time()
        while time.process_time() - begin < 0.2:
            pass
        raise ValueError

    monkeypatch.setattr(xgboost_fit_sharing, "boost", spend)
    X = blobs(1, 90)
    context = context_of(XGBoost(), X, (X[:, 0] > 0).astype(int))
    candidates = [Candidate(i, {"n_estimators": 1 + i}) for i in range(2)]
    trials = run(context, candidates)
    assert {trial.status for trial in trials.values()} == {Status.FINISHED}
    for fold in range(FOLDS):
        assert 0.2 < sum(t.cpu_seconds for (_, f), t in trials.items() if f == fold) < 2.0
        assert all(t.cpu_seconds > 0.1 for (_, f), t in trials.items() if f == fold)


@pytest.mark.parametrize("reuse", [True, False])
def test_an_estimator_that_writes_into_its_rows_changes_nothing_for_others(reuse):
    path = "sklearn.linear_model.Ridge"
    model = ImportedEstimator(estimator=path, params={"copy_X": False})
    X = blobs(3, 200) + 5.0
    y = X @ np.arange(1.0, X.shape[1] + 1)
    context = replace(context_of(model, X), y=y, metric="rmse", reuse=reuse)
    trials = run(context, [Candidate(i, {"alpha": 1.0, "copy_X": False}) for i in range(3)])
    alone = run(replace(context), [Candidate(0, {"alpha": 1.0, "copy_X": True})])
    for (_, fold), trial in trials.items():
        assert trial.scores == alone[0, fold].scores


def test_a_class_that_is_missing_fails_shared_as_alone():
    X = blobs(1, 90)
    y = np.arange(90) % 3
    context = context_of(XGBoost(), X, y)
    rows = np.flatnonzero(y != 1)
    lacking = replace(context, folds=((rows[::2], rows[1::2]),))
    candidates = [Candidate(0, {"n_estimators": 3}), Candidate(1, {"n_estimators": 5})]
    shared, plain = run(lacking, candidates), run(replace(lacking, reuse=False), candidates)
    assert {trial.status for trial in plain.values()} == {Status.FAILED}
    assert_same_bits(shared, plain)


@given(
    st.lists(st.integers(0, 2), min_size=5, max_size=40),
    st.lists(st.integers(0, 2), min_size=5, max_size=40),
)
def test_same_clustering_is_that_of_scikit_learn(labels, other):
    from sklearn.cluster._k_means_common import _is_same_clustering

    n = min(len(labels), len(other))
    a, b = np.array(labels[:n], dtype=np.int32), np.array(other[:n], dtype=np.int32)
    assert same_clustering(a, b, 3) == _is_same_clustering(a, b, 3)
