"""The search loop: duplicates, order, limits, pruning and results of an interrupted run."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trials.fakes import NO_VALUE, ThreadEngine, outcome_of, trial_of

from optibench.contracts import SearchFacts
from optibench.evaluation.ranking import best, summarise
from optibench.models.xgboost import XGBoost
from optibench.records import BatchOutcome, Candidate, Reused, Status
from optibench.search.grid import GridSearch
from optibench.search.proposals import FixedProposals, Proposals
from optibench.trials.loop import SearchLoop, SearchProblem
from optibench.trials.scheduler import TrialScheduler

FOLDS = 3


def score(candidate, fold):
    return candidate.params.get("eta", 0.5) + fold / 100


class Harness:
    """A search loop on an engine of threads, with the scores of `score`."""

    def __init__(self, state, *, slots=2, pause=None, metric="accuracy", **search):
        self.metric = metric
        self.ran = []
        self.trials = []
        self._lock = threading.Lock()

        def task(_value, batch):
            unit = batch.units[0]
            if pause is not None:
                pause(unit)
            with self._lock:
                self.ran.append(unit)
            done = outcome_of(unit, score=score, metric=metric)
            return BatchOutcome((done,), batch.units[1:], None)

        in_order = "target" in search or "max_seconds" in search
        scheduler = TrialScheduler(ThreadEngine(slots), task, NO_VALUE, in_order=in_order)
        problem = SearchProblem(XGBoost(), GridSearch(**search), metric, FOLDS)
        self.loop = SearchLoop(problem, state, scheduler, self.trials.extend)

    def run(self):
        self.loop.run()
        return summarise(
            self.trials,
            self.metric,
            FOLDS,
            candidates=self.loop.candidates,
            stopped=self.loop.stopped,
        )


def fixed(*etas):
    return FixedProposals({}, [{"eta": eta} for eta in etas])


class Learning(Proposals):
    """A search that proposes a candidate for each result, and records the results."""

    def __init__(self, total, window):
        self.total = total
        self.window = window
        self.examples = [Candidate(0, {"eta": 0.5})]
        self.asked = []
        self.recorded = []

    def ask(self, room):
        count = min(room, self.total - len(self.asked))
        heard = sum(result.number for result in self.recorded) % 97  # what is known decides
        new = [
            Candidate(
                len(self.asked) + i, {"eta": 0.001 * (heard + i), "gamma": len(self.asked) + i}
            )
            for i in range(count)
        ]
        self.asked += new
        return new

    def tell(self, results):
        self.recorded += results


def test_every_candidate_is_evaluated_on_every_fold():
    results = Harness(fixed(0.1, 0.9, 0.4)).run()
    assert [len(result.trials) for result in results] == [FOLDS] * 3
    assert best(results).params == {"eta": 0.9}


def test_repeats_and_aliases_are_evaluated_once_and_pay_nothing():
    points = [{"eta": 0.3}, {"learning_rate": 0.3}, {"eta": 0.3, "n_estimators": 100}, {"eta": 1}]
    harness = Harness(FixedProposals({}, points))
    results = harness.run()
    assert sum(len(unit.candidates) for unit in harness.ran) == 2 * FOLDS
    assert [result.reused_fits for result in results] == [0, FOLDS, FOLDS, 0]
    assert results[0].mean_scores == results[1].mean_scores == results[2].mean_scores
    assert [result.params for result in results] == points
    assert results[1].cpu_seconds == 0 < results[0].cpu_seconds
    assert {trial.reused for trial in results[1].trials} == {Reused.TRIAL}


def test_a_plain_search_evaluates_repeats_again():
    harness = Harness(fixed(0.3, 0.3), reuse=False)
    assert [result.reused_fits for result in harness.run()] == [0, 0]
    assert len(harness.ran) == 2 * FOLDS


def test_the_same_hyperparameters_on_fewer_rows_are_another_candidate():
    class Rows(FixedProposals):
        def ask(self, room):
            return [replace(c, rows=0.5 if c.number else 1.0) for c in super().ask(room)]

    harness = Harness(Rows({}, [{"eta": 0.3}, {"eta": 0.3}]))
    assert [result.reused_fits for result in harness.run()] == [0, 0]


@settings(max_examples=settings().max_examples // 3)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4))
def test_a_deterministic_search_asks_the_same_whatever_the_timing(seed, window, slots):
    rng = np.random.default_rng(seed)

    def pause(_unit):
        time.sleep(rng.random() / 500)

    hurried, slow = Learning(12, window), Learning(12, window)
    Harness(hurried, slots=1).run()
    Harness(slow, slots=slots, pause=pause).run()
    assert [c.params for c in slow.asked] == [c.params for c in hurried.asked]
    assert [result.number for result in slow.recorded] == list(range(12))


def test_no_more_candidates_are_under_way_than_the_window_allows():
    class MostUnderWay(Learning):
        most = 0

        def ask(self, room):
            new = super().ask(room)
            self.most = max(self.most, len(self.asked) - len(self.recorded))
            return new

    state = MostUnderWay(10, 3)
    Harness(state).run()
    assert state.most == 3
    assert len(state.recorded) == 10


def test_an_asynchronous_search_hears_of_the_first_to_finish():
    first_is_held = threading.Event()

    def pause(unit):
        if (unit.candidates[0].number, unit.fold) == (0, FOLDS - 1):
            assert first_is_held.wait(20)
        if unit.candidates[0].number == 4:
            first_is_held.set()

    state = Learning(6, 2)
    Harness(state, pause=pause, deterministic=False).run()
    assert state.recorded[0].number != 0
    assert sorted(result.number for result in state.recorded) == list(range(6))


def test_the_search_ends_at_its_target_and_the_winner_does_not_depend_on_timing():
    def pause(unit):
        time.sleep(0.02 if unit.candidates[0].number == 1 else 0)  # a later one is better, sooner

    harness = Harness(fixed(0.1, 0.6, 0.9, 0.95), pause=pause, target=0.55)
    results = harness.run()
    assert best(results).number == 1
    assert {r.number for r in results if r.status is Status.FINISHED} == {0, 1}
    late = [r for r in results if r.number > 1]
    assert all(r.status is Status.KILLED and "search.target=0.55" in r.error for r in late)


def test_a_target_is_reached_from_above_where_lower_is_better():
    harness = Harness(fixed(0.9, 0.6, 0.3, 0.1), slots=1, metric="log_loss", target=0.65)
    results = harness.run()
    assert [r.number for r in results if r.status is Status.FINISHED] == [0, 1]
    assert best(results).number == 1


def test_the_search_ends_when_its_time_is_over():
    def pause(_unit):
        time.sleep(0.03)

    harness = Harness(fixed(*[i / 100 for i in range(50)]), pause=pause, max_seconds=0.3)
    results = harness.run()
    finished = [r for r in results if r.status is Status.FINISHED]
    assert 0 < len(finished) < 50
    assert "search.max_seconds=0.3 was reached" in next(iter(harness.loop.stopped.values()))
    assert best(results).number == finished[-1].number


def test_pruning_runs_folds_one_after_the_other_and_stops_at_a_word():
    class Pruning(FixedProposals):
        prunes = True

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.heard = []

        def prune(self, candidate, scores):
            self.heard.append((candidate.number, list(scores)))
            return scores[0] < 0.5

    state = Pruning({}, [{"eta": 0.1}, {"eta": 0.9}])
    harness = Harness(state)
    bad, good = harness.run()
    assert (bad.status, good.status) == (Status.KILLED, Status.FINISHED)
    assert bad.error == "pruned after 1 of 3 folds"
    assert [t.fold for t in bad.trials] == [0]
    assert (bad.rank, good.rank) == (2, 1)
    assert sorted(state.heard) == [(0, [0.1]), (1, [0.9]), (1, [0.9, 0.91])]


def test_a_repeat_that_is_pruned_as_results_come_is_reported_once():
    class Pruning(FixedProposals):
        prunes = True
        recorded = ()

        def prune(self, candidate, scores):
            del candidate
            return len(scores) == FOLDS - 1

        def tell(self, results):
            self.recorded += tuple(result.number for result in results)

    state = Pruning({}, [{"eta": 0.1}] * 3)
    results = Harness(state, deterministic=False).run()
    assert sorted(state.recorded) == [0, 1, 2]
    assert {result.status for result in results} == {Status.KILLED}


def test_what_an_interrupted_run_had_evaluated_is_not_run_again():
    class Remembering(FixedProposals):
        def recall(self, candidate):
            return [trial_of(candidate, f, 0.7) for f in range(FOLDS)] if candidate.number else ()

    harness = Harness(Remembering({}, [{"eta": 0.1}, {"eta": 0.2}]))
    _, known = harness.run()
    assert {unit.candidates[0].number for unit in harness.ran} == {0}
    assert known.mean_scores["accuracy"] == pytest.approx(0.7)
    assert {t.reused for t in known.trials} == {Reused.RUN}
    assert known.cpu_seconds == 0


def test_a_larger_budget_ranks_before_a_better_score():
    small, large = Candidate(0, {"eta": 0.9}, budget=0.3), Candidate(1, {"eta": 0.1}, budget=1.0)
    trials = [trial_of(c, f, score(c, f)) for c in (small, large) for f in range(FOLDS)]
    results = summarise(trials, "accuracy", FOLDS, candidates={0: small, 1: large})
    assert [result.rank for result in results] == [2, 1]


def test_a_grid_of_one_point_is_evaluated_once():
    facts = SearchFacts("accuracy", greater_is_better=True, folds=FOLDS)
    assert len(Harness(GridSearch().start({}, {"eta": [1]}, facts)).run()) == 1
