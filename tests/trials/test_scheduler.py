"""Batches on an engine of threads: their units, sizes and order."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trials.fakes import NO_VALUE, ThreadEngine, outcome_of, run_all, units_of

from optibench.records import BatchOutcome, Candidate, Unit
from optibench.trials.scheduler import QUEUED_PER_SLOT, TrialScheduler, rehearse


def run_one(_value, batch):
    """Run one unit, as a worker does whose time slice then ends."""
    return BatchOutcome((outcome_of(batch.units[0]),), batch.units[1:], None)


def run(scheduler, units):
    """Run all units and return them in the order in which they came back."""
    scheduler.add(units)
    done = []
    while scheduler.busy:
        done += [outcome.unit for outcome in scheduler.wait()]
    return done


def order(units):
    return sorted((unit.candidates[0].number, unit.fold) for unit in units)


@settings(max_examples=settings().max_examples // 2)
@given(st.integers(0, 60), st.integers(1, 3), st.sampled_from([run_all, run_one]))
def test_every_unit_runs_exactly_once(count, slots, task):
    done = run(TrialScheduler(ThreadEngine(slots), task, NO_VALUE), units_of(count))
    assert order(done) == [(i // 5, i % 5) for i in range(count)]


def test_batches_get_smaller_towards_the_end(engine):
    run(TrialScheduler(engine, run_all, NO_VALUE), units_of(270))
    sizes = [len(batch.units) for batch in engine.batches]
    assert 60 <= sizes[0] <= 68
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_batches_are_long_against_a_costly_engine():
    engine = ThreadEngine(overhead_seconds=0.1)
    run(TrialScheduler(engine, run_all, NO_VALUE), units_of(270))
    assert all(batch.slice_seconds >= 20 * 0.1 for batch in engine.batches)
    # At least 0.4 s of work, in units of 0.01 s, unless a slot's share of the rest is less.
    later = [len(batch.units) for batch in engine.batches[4:]]
    assert later[0] >= 20
    assert len(engine.batches) < 12


def test_results_that_came_back_are_handed_on_before_the_error_of_another_batch(engine):
    both = threading.Barrier(2)

    def task(value, batch):
        both.wait(10)
        if batch.units[0].fold == 0:
            message = "a bug"
            raise RuntimeError(message)
        return run_all(value, batch)

    scheduler = TrialScheduler(engine, task, NO_VALUE)
    scheduler.add(units_of(2))
    time.sleep(0.1)
    recorded = scheduler.wait()
    while not recorded:
        recorded = scheduler.wait()
    assert order(outcome.unit for outcome in recorded) == [(0, 1)]
    with pytest.raises(RuntimeError, match="a bug"):
        scheduler.wait()


def test_workers_have_one_batch_queued_and_no_more(engine):
    def slow(value, batch):
        time.sleep(0.01)
        return run_all(value, batch)

    run(TrialScheduler(engine, slow, NO_VALUE), units_of(100))
    assert engine.most_in_flight == QUEUED_PER_SLOT * engine.slots


def test_long_units_are_not_queued_behind_others_at_the_end(engine):
    """Queue no long batch at a busy worker, since another worker could be idle without it."""

    def slow(_value, batch):
        time.sleep(0.01)
        return BatchOutcome(tuple(outcome_of(u, seconds=60.0) for u in batch.units), (), None)

    scheduler = TrialScheduler(engine, slow, NO_VALUE)
    run(scheduler, units_of(2))
    engine.most_in_flight = 0
    run(scheduler, units_of(7))
    assert engine.most_in_flight == engine.slots


def cost_of(unit):
    return 0.01 * (1 + unit.candidates[0].params["a"] ** 2)


def run_by_cost(_value, batch):
    return BatchOutcome(tuple(outcome_of(u, cost_of(u)) for u in batch.units), (), None)


def test_the_longest_units_go_first_once_their_cost_is_known():
    engine = ThreadEngine(slots=1, overhead_seconds=0.0)
    scheduler = TrialScheduler(engine, run_by_cost, NO_VALUE)
    run(scheduler, units_of(50)[::5])  # the first fold of each candidate
    engine.batches.clear()
    scheduler.add([unit for unit in units_of(50) if unit.fold == 1])
    while scheduler.busy:
        scheduler.wait()
    sent = [unit.candidates[0].number for batch in engine.batches for unit in batch.units]
    assert sent == list(range(9, -1, -1))


def test_units_run_in_the_order_given_where_that_is_asked_for():
    engine = ThreadEngine(slots=1)
    scheduler = TrialScheduler(engine, run_by_cost, NO_VALUE, in_order=True)
    for _ in range(2):
        engine.batches.clear()
        run(scheduler, units_of(40))
        assert [unit for batch in engine.batches for unit in batch.units] == units_of(40)


def test_a_stopped_schedule_drops_what_is_queued_and_returns_what_runs(engine):
    def slow(value, batch):
        time.sleep(0.1)
        return run_one(value, batch)

    scheduler = TrialScheduler(engine, slow, NO_VALUE)
    scheduler.add(units_of(100))
    assert scheduler.wait(0.01) == []
    scheduler.stop()
    outcomes = []
    while scheduler.busy:
        outcomes += scheduler.wait()
    assert 1 <= len(outcomes) <= QUEUED_PER_SLOT * engine.slots


def test_what_a_stopped_schedule_has_running_is_returned_before_an_error_of_the_engine(engine):
    def second_is_broken(value, batch):
        time.sleep(0.05)
        if batch.units[0].fold == 1:
            message = "engine lost"
            raise RuntimeError(message)
        return run_one(value, batch)

    scheduler = TrialScheduler(engine, second_is_broken, NO_VALUE)
    scheduler.add(units_of(2))
    assert scheduler.wait(0.001) == []
    scheduler.stop()
    time.sleep(0.2)
    assert [outcome.unit.fold for outcome in scheduler.wait()] == [0]
    with pytest.raises(RuntimeError, match="engine lost"):
        scheduler.wait()


def test_profiles_are_kept(engine):
    scheduler = TrialScheduler(engine, run_all, NO_VALUE)
    run(scheduler, units_of(20))
    assert set(scheduler.profiles) == {b"profile"}


def test_an_error_of_the_engine_reaches_the_caller(engine):
    def broken(_value, _batch):
        message = "worker lost"
        raise OSError(message)

    with pytest.raises(OSError, match="worker lost"):
        run(TrialScheduler(engine, broken, NO_VALUE), units_of(100))
    assert len(engine.batches) <= QUEUED_PER_SLOT * engine.slots


def test_a_rehearsal_reaches_the_engine_and_leaves_nothing(engine):
    rehearse(engine)
    assert len(engine.batches) >= engine.slots
    assert all(batch.units == () for batch in engine.batches)


def test_units_of_several_candidates_go_through_whole(engine):
    unit = Unit((Candidate(0, {"a": 1}), Candidate(1, {"a": 2})), 3)
    assert run(TrialScheduler(engine, run_all, NO_VALUE), [unit]) == [unit]
