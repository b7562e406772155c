"""Which candidates get the same trials, what they pay, and what fits leave for others."""

from dataclasses import replace

from tests.trials.fakes import trial_of

from optibench.models.xgboost import XGBoost
from optibench.records import Candidate, Reused, Unit, UnitOutcome
from optibench.trials.ledger import Ledger


def trees(number, count, **fields):
    return Candidate(number, {"n_estimators": count}, **fields)


def wanted(ledger, candidate):
    """Enter a candidate and want its only fold: the trial that it gets at once, or None."""
    return ledger.want(ledger.begin(candidate, []), 0)


def receive(ledger, candidate, state=None, **fields):
    """The candidates and trials that the outcome of one unit settles."""
    trial = replace(trial_of(candidate, 0, seconds=1.0), standalone_cpu_seconds=1.0, **fields)
    outcome = UnitOutcome(Unit((candidate,), 0), (trial,), 1.0, (state,))
    return [(e.candidate.number, t) for e, t in ledger.receive(outcome)]


def test_a_fit_that_went_on_would_alone_have_paid_for_its_beginning():
    ledger = Ledger(XGBoost(), reuse=True)
    alone = []
    for number in range(3):
        candidate = trees(number, 3**number, continues=number - 1 if number else None)
        assert wanted(ledger, candidate) is None
        reused = Reused.BEGINNING if number else Reused.NOTHING
        ((_, trial),) = receive(ledger, candidate, reused=reused)
        ledger.evaluations[number].trials[0] = trial
        assert trial.cpu_seconds == 1.0
        alone.append(trial.standalone_cpu_seconds)
    assert alone == [1.0, 2.0, 3.0]


def test_one_that_comes_to_a_rung_gets_the_trial_of_an_equal_one_that_started_there():
    ledger = Ledger(XGBoost(), reuse=True)
    start, below = trees(0, 9, resumable=True), trees(1, 3, resumable=True)
    assert wanted(ledger, start) is wanted(ledger, below) is None
    assert [unit.candidates for unit in ledger.units()] == [(start,), (below,)]
    receive(ledger, start, b"nine trees")
    receive(ledger, below, b"three trees")
    trial = wanted(ledger, trees(2, 9, continues=1, resumable=True))
    assert (trial.candidate, trial.cpu_seconds, trial.reused) == (2, 0.0, Reused.TRIAL)
    assert ledger.units() == []
    assert wanted(ledger, trees(3, 27, continues=2)) is None
    (unit,) = ledger.units()
    assert unit.states == (b"nine trees",)
    ledger.close()


def test_one_that_draws_rows_goes_on_from_its_own_beginning():
    """A loaded booster draws anew: the fit is not that of one who started with as many trees."""

    def drawing(number, count, **fields):
        params = {"n_estimators": count, "subsample": 0.5}
        return Candidate(number, params, resumable=True, **fields)

    ledger = Ledger(XGBoost(), reuse=True)
    for candidate in (drawing(0, 9), drawing(1, 3), drawing(2, 3)):
        wanted(ledger, candidate)
    assert len(ledger.units()) == 2  # equal beginnings are one
    receive(ledger, drawing(0, 9), b"nine trees")
    receive(ledger, drawing(1, 3), b"three trees")
    assert wanted(ledger, drawing(3, 9, continues=1)) is None
    assert wanted(ledger, drawing(4, 9, continues=2)) is None
    (unit,) = ledger.units()  # so are equal continuations
    assert unit.states == (b"three trees",)
    ledger.close()


def test_a_plain_search_lets_it_go_on_from_its_own():
    ledger = Ledger(XGBoost(), reuse=False)
    wanted(ledger, trees(0, 9, resumable=True))
    wanted(ledger, trees(1, 3, resumable=True))
    ledger.units()
    receive(ledger, trees(1, 3, resumable=True), b"three trees")
    assert wanted(ledger, trees(2, 9, continues=1)) is None
    (unit,) = ledger.units()
    assert unit.states == (b"three trees",)
    ledger.close()
