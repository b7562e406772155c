"""Batching, on an engine of plain threads: which units run, in what sizes and order."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optibench.records import BatchOutcome, Candidate, Trial, Unit
from optibench.trials.schedule import QUEUED_PER_SLOT, Schedule, rehearse


class ThreadEngine:
    """An engine whose workers are threads of this process."""

    def __init__(self, slots=2, overhead_seconds=0.001):
        self.slots = slots
        self.overhead_seconds = overhead_seconds
        self.batches = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(slots)

    def share(self, value):
        return value

    def submit(self, task, shared, batch):
        with self._lock:
            self.batches.append(batch)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        future = self._pool.submit(task, shared, batch)
        future.add_done_callback(lambda _: self._landed())
        return future

    def _landed(self):
        with self._lock:
            self.in_flight -= 1


def units(count):
    return [Unit(Candidate(i // 5, {}), i % 5) for i in range(count)]


def trial_of(unit, seconds=0.01):
    return Trial(unit.candidate.number, {}, unit.fold, {}, seconds, 0.0, 0.0, "w", 0.0, 0.0)


def run_all(_value, batch):
    return BatchOutcome(tuple(trial_of(unit) for unit in batch.units), (), b"profile")


def run_one(_value, batch):
    """A worker whose time slice is over after one unit."""
    return BatchOutcome((trial_of(batch.units[0]),), batch.units[1:], None)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 60), st.integers(1, 3), st.sampled_from([run_all, run_one]))
def test_every_unit_runs_exactly_once_and_trials_come_back_in_order(count, slots, task):
    schedule = Schedule(ThreadEngine(slots), task, None)
    trials = schedule.run(units(count), lambda _: None)
    assert [(t.candidate, t.fold) for t in trials] == [(i // 5, i % 5) for i in range(count)]


def test_batches_get_smaller_towards_the_end():
    engine = ThreadEngine()
    Schedule(engine, run_all, None).run(units(270), lambda _: None)
    sizes = [len(batch.units) for batch in engine.batches]
    assert sizes[0] == 68
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1


def test_batches_are_long_against_a_costly_engine():
    engine = ThreadEngine(overhead_seconds=0.1)
    Schedule(engine, run_all, None).run(units(270), lambda _: None)
    assert all(batch.slice_seconds >= 20 * 0.1 for batch in engine.batches)
    # 0.4 s of work at the least, of 0.01 s each, unless a slot's fair share of the rest is less.
    later = [len(batch.units) for batch in engine.batches[4:]]
    assert later[0] >= 20
    assert len(engine.batches) < 12


def test_workers_have_one_batch_queued_and_no_more():
    engine = ThreadEngine()

    def slow(value, batch):
        time.sleep(0.01)
        return run_all(value, batch)

    Schedule(engine, slow, None).run(units(100), lambda _: None)
    assert engine.most_in_flight == QUEUED_PER_SLOT * engine.slots


def test_profiles_are_kept_and_progress_is_told():
    told = []
    schedule = Schedule(ThreadEngine(), run_all, None)
    schedule.run(units(20), told.extend)
    assert len(told) == 20
    assert set(schedule.profiles) == {b"profile"}


def test_an_error_of_the_engine_ends_the_search_at_once():
    engine = ThreadEngine()

    def broken(_value, _batch):
        message = "worker lost"
        raise OSError(message)

    with pytest.raises(OSError, match="worker lost"):
        Schedule(engine, broken, None).run(units(100), lambda _: None)
    assert len(engine.batches) <= QUEUED_PER_SLOT * engine.slots


def test_a_rehearsal_reaches_the_engine_and_leaves_nothing():
    engine = ThreadEngine()
    rehearse(engine)
    assert engine.in_flight == 0
    assert engine.batches
    assert all(batch.units == () for batch in engine.batches)
