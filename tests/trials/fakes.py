"""An engine whose workers are threads of this process, and trials without any work."""

import threading
from concurrent.futures import ThreadPoolExecutor

from optibench.records import BatchOutcome, Candidate, Trial, Unit, UnitOutcome


class SharedInProcess:
    """Implements `contracts.SharedValue` for a value that needs no sending."""

    def __init__(self, value):
        self._value = value

    def view(self):
        return self._value


NO_VALUE = SharedInProcess(None)  # for tasks that read none


class ThreadEngine:
    """An engine of threads that records the batches and how many are in flight."""

    notes = ()
    units_run_again = 0
    reuse = remote = data_parallel = None

    def __init__(self, slots=2, overhead_seconds=0.001):
        self.slots = slots
        self.overhead_seconds = overhead_seconds
        self.batches = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(slots)

    def share(self, value):
        return SharedInProcess(value)

    def versions(self):
        return {}

    def submit(self, task, shared, batch):
        with self._lock:
            self.batches.append(batch)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        future = self._pool.submit(task, shared.view(), batch)
        future.add_done_callback(lambda _: self._landed())
        return future

    def _landed(self):
        with self._lock:
            self.in_flight -= 1


def trial_of(candidate, fold, score=0.0, seconds=0.01, metric="accuracy"):
    scores = {metric: score}
    return Trial(
        candidate.number, candidate.params, fold, scores, seconds, 0.0, seconds, "w", 0.0, 1.0
    )


def outcome_of(unit, seconds=0.01, score=lambda _candidate, _fold: 0.0, metric="accuracy"):
    trials = tuple(
        trial_of(c, unit.fold, score(c, unit.fold), seconds, metric) for c in unit.candidates
    )
    return UnitOutcome(unit, trials, seconds)


def run_all(_value, batch):
    return BatchOutcome(tuple(outcome_of(unit) for unit in batch.units), (), b"profile")


def units_of(count):
    return [Unit((Candidate(i // 5, {"a": i // 5}),), i % 5) for i in range(count)]
