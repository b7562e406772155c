"""Units to batches to workers, as workers become free.

A batch holds a share of what is left (guided self-scheduling, Polychronopoulos and Kuck, 1987,
with half a slot's share), and a worker gives back what it has not begun when its time slice is
over. So batches are long against the engine's cost per task, short at the end where balance
matters, and no cost model is needed.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.records import Batch, BatchOutcome, Trial, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from optibench.contracts import Engine, WorkerTask

SHORTEST_SLICE_SECONDS = 0.2
# A slice lasts this many times the engine's cost per task: at most 5 % is lost.
SLICE_OVERHEADS = 20.0
FEWEST_OVERHEADS = 4.0  # and a last, small batch at least this many times
REHEARSALS = 10  # per slot; after as many, a Spark task takes half as long as the first
QUEUED_PER_SLOT = 2  # one runs, one waits, so that a worker never waits for the driver


def rehearse(engine: Engine) -> None:
    """Send empty batches the way that real ones go, before the clock of the search starts.

    The first tasks of an engine pay for connections, lazy imports and the JVM's compiler.
    """
    shared = engine.share(np.zeros(1))
    batch = Batch((), 0.0)
    futures = [engine.submit(do_nothing, shared, batch) for _ in range(REHEARSALS * engine.slots)]
    for future in futures:
        future.result()


def do_nothing(_value: Any, batch: Batch) -> BatchOutcome:
    """The worker task of a rehearsal."""
    return BatchOutcome((), batch.units, None)


class Schedule:
    """Runs units on an engine; keeps the workers' profiles."""

    def __init__(self, engine: Engine, task: WorkerTask, shared: Any) -> None:
        """Send `task` with the handle `shared` to `engine` for every batch."""
        self._engine = engine
        self._task = task
        self._shared = shared
        self._busy_seconds = 0.0
        self._finished = 0
        self.profiles: list[bytes] = []

    def run(
        self, units: Iterable[Unit], on_trials: Callable[[Sequence[Trial]], None]
    ) -> list[Trial]:
        """Run all `units` and return their trials in the order of units.

        `on_trials` is called as batches come back.
        """
        queue = deque(units)
        trials: list[Trial] = []
        running: set[Future[BatchOutcome]] = set()
        try:
            while queue or running:
                while queue and len(running) < QUEUED_PER_SLOT * self._engine.slots:
                    running.add(self._engine.submit(self._task, self._shared, self._take(queue)))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    queue.extendleft(reversed(outcome.leftover))
                    trials += self._keep(outcome)
                    on_trials(outcome.trials)
        finally:
            for future in running:
                future.cancel()
        return sorted(trials, key=lambda trial: (trial.candidate, trial.fold))

    def _take(self, queue: deque[Unit]) -> Batch:
        overhead = self._engine.overhead_seconds
        size = math.ceil(len(queue) / (2 * self._engine.slots))
        if self._finished:
            unit_seconds = self._busy_seconds / self._finished
            fewest = math.ceil(FEWEST_OVERHEADS * overhead / max(unit_seconds, 1e-6))
            size = max(size, min(fewest, math.ceil(len(queue) / self._engine.slots)))
        slice_seconds = max(SHORTEST_SLICE_SECONDS, SLICE_OVERHEADS * overhead)
        return Batch(tuple(queue.popleft() for _ in range(size)), slice_seconds)

    def _keep(self, outcome: BatchOutcome) -> tuple[Trial, ...]:
        if outcome.profile is not None:
            self.profiles.append(outcome.profile)
        self._finished += len(outcome.trials)
        self._busy_seconds += sum(t.fit_seconds + t.score_seconds for t in outcome.trials)
        return outcome.trials
