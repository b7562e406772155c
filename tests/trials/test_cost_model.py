"""Expected costs of units: measured on other folds, or estimated from hyperparameters."""

import pytest

from optibench.records import Candidate, Unit
from optibench.trials.cost_model import CostModel


def unit(number, fold=0, **params):
    return Unit((Candidate(number, params),), fold)


def test_nothing_is_known_at_first():
    assert CostModel().expect([unit(0, a=1), unit(1, a=9)]) == [1.0, 1.0]


def test_another_fold_costs_what_the_first_did():
    model = CostModel()
    model.observe(unit(0, fold=0, a=1), 2.0)
    model.observe(unit(0, fold=1, a=1), 4.0)
    assert model.expect([unit(0, fold=2, a=1)]) == [3.0]


def test_unseen_candidates_are_ordered_by_what_made_others_long():
    model = CostModel()
    for number, (trees, kind) in enumerate([(10, "x"), (100, "x"), (10, "y"), (100, "y")]):
        model.observe(unit(number, trees=trees, kind=kind), trees * (3 if kind == "y" else 1) / 50)
    short, middle, long = model.expect(
        [
            unit(9, trees=20, kind="x"),
            unit(10, trees=60, kind="x"),
            unit(11, trees=60, kind="y"),
        ]
    )
    assert short < middle < long
    assert middle == pytest.approx(60 / 50, rel=0.5)


def test_fewer_rows_cost_less():
    model = CostModel()
    for number, rows in enumerate((0.1, 0.3, 1.0)):
        model.observe(Unit((Candidate(number, {"a": number % 2}, rows=rows),), 0), rows * 5)
    few, many = Candidate(8, {"a": 1}, rows=0.2), Candidate(9, {"a": 1}, rows=0.8)
    guesses = model.expect([Unit((few,), 0), Unit((many,), 0)])
    assert guesses[0] < guesses[1]


def test_a_unit_costs_what_its_largest_candidate_says():
    model = CostModel()
    for number, starts in enumerate((1, 10, 100)):
        model.observe(unit(number, n_init=starts), starts / 10)
    both = Unit((Candidate(7, {"n_init": 2}), Candidate(8, {"n_init": 90})), 0)
    (together, alone) = model.expect([both, unit(9, n_init=90)])
    assert together == alone


def test_a_guess_stays_near_what_was_seen():
    model = CostModel()
    model.observe(unit(0, a=1), 1.0)
    model.observe(unit(1, a=2), 2.0)
    (guess,) = model.expect([unit(2, a=1e12)])
    assert guess <= 2.0 * 2.72
