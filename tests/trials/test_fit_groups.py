"""Candidates that make one unit."""

from optibench.models.kmeans import KMeans
from optibench.models.xgboost import XGBoost
from optibench.records import Candidate
from optibench.trials.fit_groups import group


def numbers(units):
    return [([c.number for c in unit.candidates], unit.fold) for unit in units]


def pairs(candidates, folds=1):
    return [(c, fold) for c in candidates for fold in range(folds)]


def test_a_family_on_one_fold_is_one_unit():
    space = [{"n_clusters": k, "n_init": n} for n in (1, 2) for k in (2, 3)]
    wanted = pairs([Candidate(i, params) for i, params in enumerate(space)], folds=2)
    units = group(wanted, KMeans.fit_sharing)
    assert numbers(units) == [([0, 2], 0), ([0, 2], 1), ([1, 3], 0), ([1, 3], 1)]


def test_without_savings_each_trial_is_a_unit():
    wanted = pairs([Candidate(i, {"n_init": i + 1}) for i in range(3)], folds=2)
    assert all(len(unit.candidates) == 1 for unit in group(wanted, None))


def test_candidates_on_different_rows_or_with_kept_fits_stay_apart():
    candidates = [
        Candidate(0, {"n_estimators": 5}),
        Candidate(1, {"n_estimators": 9}, rows=0.5),
        Candidate(2, {"n_estimators": 9}, resumable=True),
        Candidate(3, {"n_estimators": 10}, continues=2),
    ]
    assert len(group(pairs(candidates), XGBoost.fit_sharing)) == 4
