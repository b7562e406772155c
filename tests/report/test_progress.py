"""What the progress line says is best so far."""

from tests.trials.fakes import trial_of

from optibench.records import Candidate
from optibench.report.progress import Progress


def line_after(capsys, steps, *, greater_is_better=True, budgets=None):
    """The last line that trials of (candidate, fold, score) leave."""
    budget_of = (budgets or {}).get
    with Progress(9, "accuracy", greater_is_better=greater_is_better, enabled=True) as progress:
        for number, fold, score in steps:
            trial = trial_of(Candidate(number, {}), fold, score)
            progress.advance([trial], lambda n: budget_of(n, 1.0))
    return capsys.readouterr().err.splitlines()[-1]


def test_the_best_is_among_those_with_the_most_folds(capsys):
    line = line_after(capsys, [(0, 0, 0.5), (0, 1, 0.7), (1, 0, 0.9)])
    assert line.startswith("trials 3/9")
    assert line.endswith("best accuracy 0.6000")


def test_the_best_is_among_those_with_the_most_of_the_budget(capsys):
    line = line_after(capsys, [(0, 0, 0.9), (1, 0, 0.6), (2, 0, 0.7)], budgets={0: 0.1})
    assert line.endswith("best accuracy 0.7000")


def test_the_best_of_costs_is_the_lowest(capsys):
    line = line_after(capsys, [(0, 0, 0.9), (1, 0, 0.6)], greater_is_better=False)
    assert line.endswith("best accuracy 0.6000")


def test_a_score_that_is_no_number_is_never_best(capsys):
    line = line_after(capsys, [(0, 0, float("nan")), (1, 0, 0.6)])
    assert line.endswith("best accuracy 0.6000")
