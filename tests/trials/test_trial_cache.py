"""Candidates that share trials, the costs charged to them, and checkpoints of fits."""

from dataclasses import replace

from tests.trials.fakes import trial_of

from optibench.models.xgboost import XGBoost
from optibench.records import Candidate, Reused, Unit, UnitOutcome
from optibench.trials.trial_cache import TrialCache


def trees(number, count, **fields):
    return Candidate(number, {"n_estimators": count}, **fields)


def wanted(trial_cache, candidate):
    """Request the only fold of a new candidate; return its trial if it is cached, or None."""
    return trial_cache.request(trial_cache.begin(candidate, []), 0)


def receive(trial_cache, candidate, state=None, **fields):
    """Return the candidates and trials that the outcome of one unit completes."""
    trial = replace(trial_of(candidate, 0, seconds=1.0), standalone_cpu_seconds=1.0, **fields)
    outcome = UnitOutcome(Unit((candidate,), 0), (trial,), 1.0, (state,))
    return [(e.candidate.number, t) for e, t in trial_cache.receive(outcome)]


def test_a_fit_that_went_on_would_alone_have_paid_for_its_beginning():
    trial_cache = TrialCache(XGBoost(), reuse=True)
    alone = []
    for number in range(3):
        candidate = trees(number, 3**number, continues=number - 1 if number else None)
        assert wanted(trial_cache, candidate) is None
        reused = Reused.BEGINNING if number else Reused.NOTHING
        ((_, trial),) = receive(trial_cache, candidate, reused=reused)
        trial_cache.evaluations[number].trials[0] = trial
        assert trial.cpu_seconds == 1.0
        alone.append(trial.standalone_cpu_seconds)
    assert alone == [1.0, 2.0, 3.0]


def test_one_that_comes_to_a_rung_gets_the_trial_of_an_equal_one_that_started_there():
    trial_cache = TrialCache(XGBoost(), reuse=True)
    start, below = trees(0, 9, resumable=True), trees(1, 3, resumable=True)
    assert wanted(trial_cache, start) is wanted(trial_cache, below) is None
    assert [unit.candidates for unit in trial_cache.units()] == [(start,), (below,)]
    receive(trial_cache, start, b"nine trees")
    receive(trial_cache, below, b"three trees")
    trial = wanted(trial_cache, trees(2, 9, continues=1, resumable=True))
    assert (trial.candidate, trial.cpu_seconds, trial.reused) == (2, 0.0, Reused.TRIAL)
    assert trial_cache.units() == []
    assert wanted(trial_cache, trees(3, 27, continues=2)) is None
    (unit,) = trial_cache.units()
    assert unit.states == (b"nine trees",)
    trial_cache.close()


def test_one_that_draws_rows_goes_on_from_its_own_beginning():
    """A loaded booster restarts its random draws: it differs from an uninterrupted fit."""

    def drawing(number, count, **fields):
        params = {"n_estimators": count, "subsample": 0.5}
        return Candidate(number, params, resumable=True, **fields)

    trial_cache = TrialCache(XGBoost(), reuse=True)
    for candidate in (drawing(0, 9), drawing(1, 3), drawing(2, 3)):
        wanted(trial_cache, candidate)
    assert len(trial_cache.units()) == 2  # equal beginnings are one
    receive(trial_cache, drawing(0, 9), b"nine trees")
    receive(trial_cache, drawing(1, 3), b"three trees")
    assert wanted(trial_cache, drawing(3, 9, continues=1)) is None
    assert wanted(trial_cache, drawing(4, 9, continues=2)) is None
    (unit,) = trial_cache.units()  # so are equal continuations
    assert unit.states == (b"three trees",)
    trial_cache.close()


def test_a_plain_search_lets_it_go_on_from_its_own():
    trial_cache = TrialCache(XGBoost(), reuse=False)
    wanted(trial_cache, trees(0, 9, resumable=True))
    wanted(trial_cache, trees(1, 3, resumable=True))
    trial_cache.units()
    receive(trial_cache, trees(1, 3, resumable=True), b"three trees")
    assert wanted(trial_cache, trees(2, 9, continues=1)) is None
    (unit,) = trial_cache.units()
    assert unit.states == (b"three trees",)
    trial_cache.close()
