"""Pruning decides like Optuna's own loop, and deterministic pruning does not depend on timing."""

import math
import random
import warnings

import numpy as np
import pytest

from optibench.contracts import SearchFacts
from optibench.errors import ConfigError
from optibench.records import Status
from optibench.search.pruning import MIN_FOLDS, STUDY_NAME, Pruning
from optibench.search.tpe import TPESearch

optuna = pytest.importorskip("optuna")

SPACE = {"x": {"low": 0.0, "high": 1.0}}
PRUNERS = sorted(MIN_FOLDS)


def noisy(params, _rows, fold):
    """Return scores that differ between folds, and more between candidates."""
    noise = random.Random(f"{params['x']!r} {fold}").gauss(0, 0.05)  # noqa: S311
    return params["x"] + 0.1 * math.sin(fold) + noise


def start(pruner, **keys):
    facts = SearchFacts("score", greater_is_better=keys.pop("greater", True), folds=5)
    return TPESearch(pruner=pruner, **keys).start({}, SPACE, facts)


def optunas_own_loop(search, *, greater):
    """Return the folds that each trial runs in `study.optimize` with this sampler and pruner."""
    ran = []

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        scores = []
        for fold in range(5):
            scores.append(noisy({"x": x}, 1.0, fold))
            seen = scores[-1] if search.pruner == "wilcoxon" else float(np.mean(scores))
            trial.report(seen, fold)
            if fold < 4 and trial.should_prune():
                ran.append((x, len(scores)))
                raise optuna.TrialPruned
        ran.append((x, len(scores)))
        trial.study.sampler = search.sampler(trial.number + 1)
        return float(np.mean(scores))

    def reseed(study, trial):
        study.sampler = search.sampler(trial.number + 1)

    facts = SearchFacts("score", greater_is_better=greater, folds=5)
    study = optuna.create_study(
        study_name=STUDY_NAME,
        direction="maximize" if greater else "minimize",
        sampler=search.sampler(0),
        pruner=Pruning(search.pruner, facts).pruner,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.optimize(objective, n_trials=search.n_iter, callbacks=[reseed])
    return ran


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("greater", [True, False])
@pytest.mark.parametrize("pruner", PRUNERS)
def test_one_at_a_time_every_decision_is_that_of_optunas_own_loop(
    pruner, greater, deterministic, loop
):
    keys = {"n_iter": 40, "startup": 8, "parallel": 1, "deterministic": deterministic}
    state = start(pruner, greater=greater, **keys)
    # With one worker and a window of one, results arrive in the order of the proposals.
    ours = loop(state, noisy, workers=1).run()
    theirs = optunas_own_loop(TPESearch(pruner=pruner, **keys), greater=greater)
    assert [(r.params["x"], len(r.trials)) for r in ours.observed] == theirs
    pruned = [r for r in ours.observed if r.status is Status.KILLED]
    assert 0 < len(pruned) < 40


@pytest.mark.parametrize("pruner", PRUNERS)
def test_in_order_decisions_do_not_depend_on_workers_and_who_is_fast(pruner, loop):
    runs = [
        loop(start(pruner, n_iter=40, startup=8), noisy, workers=w, seed=w).run()
        for w in (1, 3, 8)
    ]
    assert runs[0].observed == runs[1].observed == runs[2].observed
    assert any(r.status is Status.KILLED for r in runs[0].observed)


def test_a_decision_uses_no_result_that_came_after_the_question(evaluate):
    """Propose a candidate after six results, and record six much better results after that."""
    by_now = {}
    for later in (0.0, 100.0):
        state = start("median", n_iter=20, parallel=8)
        candidates = state.ask(6)
        state.tell([evaluate(c, lambda *_: 1.0) for c in candidates])
        mine, *others = state.ask(7)
        state_scores = [evaluate(c, lambda *_, later=later: later) for c in others]
        # Recorded before `mine`, which the deterministic loop never does: the worst case.
        state.tell(state_scores)
        by_now[later] = state.prune(mine, [1.5])
    assert by_now == {0.0: False, 100.0: False}


def test_as_results_come_a_decision_uses_those_known_by_now(evaluate):
    state = start("median", n_iter=20, parallel=8, deterministic=False)
    state.tell([evaluate(c, lambda *_: 1.0) for c in state.ask(6)])
    mine, *others = state.ask(8)
    assert not state.prune(mine, [1.5])
    state.tell([evaluate(c, lambda *_: 100.0) for c in others])
    assert state.prune(mine, [1.5, 1.5])


def test_a_candidate_with_a_failed_fold_is_left_to_fail(evaluate):
    state = start("median", n_iter=20, parallel=8)
    state.tell([evaluate(c, lambda *_: 1.0) for c in state.ask(6)])
    (candidate,) = state.ask(1)
    assert state.prune(candidate, [0.5])
    (candidate,) = state.ask(1)
    assert not state.prune(candidate, [0.5, math.nan])


def test_without_a_pruner_nothing_is_pruned(loop):
    state = start(None, n_iter=15)
    assert not state.prunes
    assert all(len(r.trials) == 5 for r in loop(state, noisy).run().observed)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_pruner_that_could_never_decide_is_refused(pruner):
    least = MIN_FOLDS[pruner]
    facts = SearchFacts("score", greater_is_better=True, folds=least - 1)
    with pytest.raises(ConfigError, match=f"use at least {least} folds"):
        TPESearch(pruner=pruner).start({}, SPACE, facts)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_least_number_of_folds_is_enough_to_stop_some_candidate(pruner):
    """Evaluate candidates that get worse one after the other, on every fold."""
    folds = MIN_FOLDS[pruner]
    facts = SearchFacts("score", greater_is_better=True, folds=folds)
    pruning = Pruning(pruner, facts)
    study = pruning.study([])
    stopped = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(30):
            trial = study.ask()
            values = pruning.values([-float(number + 0.01 * fold) for fold in range(folds)])
            for step, value in enumerate(values[:-1]):
                trial.report(value, step)
                stopped = stopped or trial.should_prune()
            trial.report(values[-1], folds - 1)
            study.tell(trial, sum(values))
    assert stopped
