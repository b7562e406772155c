"""The scheduler: it sends batches of units to workers as they become free.

A batch is a share of the remaining work (guided self-scheduling, Polychronopoulos and Kuck, 1987,
with half a slot's share). A cost model that learns from finished units estimates the work, and a
worker returns the units that it has not started when its time slice ends. Units so long that they
could leave a worker idle at the end go first, the longest one before the others. The other units
go fold by fold, because workers cache objects of a fold, and the longest of a fold go first.
Batches are therefore long relative to the engine's cost per task, and short at the end, where
balance matters.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from optibench.records import Batch, BatchOutcome, Unit, UnitOutcome
from optibench.trials.cost_model import CostModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optibench.contracts import Engine, SharedValue, WorkerTask

V = TypeVar("V")

SLICE_SECONDS = 1.0  # so that results arrive steadily
FIRST_SLICE_SECONDS = 0.2  # while the cost of units is unknown
# A slice lasts at least this many times the engine's cost per task: at most 1.3 % is lost.
SLICE_OVERHEADS = 80.0
FEWEST_OVERHEADS = 4.0  # the same for a last, small batch
REHEARSALS = 10  # per slot; a Spark task then takes half as long as the first one
QUEUED_PER_SLOT = 2  # one runs, one waits, so that a worker never waits for the driver
LONG_SHARE = 8.0  # a unit is long if it exceeds a slot's share of the work divided by this


def rehearse(engine: Engine) -> None:
    """Run empty batches on the engine before the clock of the search starts.

    The first tasks of an engine take longer: connections, lazy imports, the JVM's compiler.
    """
    shared = engine.share(np.zeros(1))
    batch = Batch((), 0.0)
    futures = [engine.submit(do_nothing, shared, batch) for _ in range(REHEARSALS * engine.slots)]
    for future in futures:
        future.result()


def do_nothing(_value: object, batch: Batch) -> BatchOutcome:
    """Return the outcome of an empty batch; `rehearse` submits this function."""
    return BatchOutcome((), batch.units, None)


class TrialScheduler(Generic[V]):
    """Implements `contracts.Scheduler` for trials, each of which runs in one worker.

    Attributes:
        begin_before: no unit starts after this time, in seconds since the epoch.
        profiles: the profiles of finished batches.
    """

    def __init__(
        self,
        engine: Engine,
        task: WorkerTask[V, Batch, BatchOutcome],
        shared: SharedValue[V],
        *,
        in_order: bool = False,
    ) -> None:
        """Submit `task` to `engine` for every batch, with the handle `shared`.

        With `in_order` units run in the order in which they are added, whatever they cost.
        """
        self.begin_before = math.inf
        self._engine = engine
        self._task = task
        self._shared = shared
        self._in_order = in_order
        self._stopped = False
        self._cost = CostModel()
        self._queue: deque[tuple[Unit, float]] = deque()  # with expected seconds
        self._sorted_at = 0  # number of observations at the last sort
        self._sorted_seconds = 0.0  # work in the queue at the last sort
        self._running: set[Future[BatchOutcome]] = set()
        self.profiles: list[bytes] = []

    @property
    def busy(self) -> bool:
        """True while a unit is queued or runs."""
        return bool(self._queue or self._running)

    @property
    def slots(self) -> int:
        """Number of batches that run at the same time."""
        return self._engine.slots

    def add(self, units: Iterable[Unit]) -> None:
        """Queue units."""
        units = list(units)
        if not units:
            return
        self._queue.extend(zip(units, self._cost.expect(units), strict=True))
        self._sort()

    def wait(self, timeout_seconds: float | None = None) -> list[UnitOutcome]:
        """Submit batches, and return the units of those that finish first."""
        self._send()
        if not self._running:
            return []
        done, self._running = wait(self._running, timeout_seconds, return_when=FIRST_COMPLETED)
        well = {future for future in done if not (future.cancelled() or future.exception())}
        if well:  # returned before the error of another batch is raised
            self._running |= done - well
        return [unit for future in well or done for unit in self._receive(future.result())]

    def stop(self) -> None:
        """Drop queued units; submitted batches run to their end, and `wait` returns them.

        They are not cancelled, because Dask would let them run on during the next phase.
        """
        self._stopped = True
        self._queue.clear()

    def cancel(self) -> None:
        """Cancel the batches that no worker has started."""
        for future in self._running:
            future.cancel()

    def _send(self) -> None:
        while self._queue and len(self._running) < self._most_in_flight():
            batch = self._take()
            self._running.add(self._engine.submit(self._task, self._shared, batch))

    def _receive(self, outcome: BatchOutcome) -> tuple[UnitOutcome, ...]:
        if outcome.profile is not None:
            self.profiles.append(outcome.profile)
        for done in outcome.units:
            self._cost.observe(done.unit, done.seconds)
        left = outcome.leftover
        if self._stopped:
            return outcome.units
        self._queue.extendleft(reversed(list(zip(left, self._cost.expect(left), strict=True))))
        many_new = self._cost.observations >= 2 * self._sorted_at
        if many_new or self._left() <= self._sorted_seconds / 2:
            self._sort()
        return outcome.units

    def _most_in_flight(self) -> int:
        """Return how many batches may be submitted at a time.

        A batch waits for the worker that it was sent to; if the work is long, another worker may
        become free first. Long units therefore wait in workers only while the remaining work is
        at least two slices per slot.
        """
        slots, (_, next_seconds) = self._engine.slots, self._queue[0]
        if not self._cost.observations or next_seconds <= self._first_slice_seconds:
            return QUEUED_PER_SLOT * slots
        enough = 2 * slots * max(self._slice_seconds, QUEUED_PER_SLOT * next_seconds)
        return QUEUED_PER_SLOT * slots if self._left() > enough else slots

    def _left(self) -> float:
        """Return the seconds of work in the queue."""
        return math.fsum(seconds for _, seconds in self._queue)

    @property
    def _first_slice_seconds(self) -> float:
        return max(FIRST_SLICE_SECONDS, SLICE_OVERHEADS * self._engine.overhead_seconds)

    @property
    def _slice_seconds(self) -> float:
        first = self._first_slice_seconds
        return max(SLICE_SECONDS, first) if self._cost.observations else first

    def _take(self) -> Batch:
        """Return the next batch, of at least one unit."""
        left = self._left()
        aim = left / (2 * self._engine.slots)
        if self._cost.observations:
            fewest = FEWEST_OVERHEADS * self._engine.overhead_seconds
            aim = max(aim, min(fewest, left / self._engine.slots))
        units: list[Unit] = []
        taken = 0.0
        while self._queue and (not units or taken + self._queue[0][1] / 2 <= aim):
            unit, seconds = self._queue.popleft()
            units.append(unit)
            taken += seconds
        return Batch(tuple(units), self._slice_seconds, self.begin_before)

    def _sort(self) -> None:
        self._sorted_at = self._cost.observations
        units = [unit for unit, _ in self._queue]
        costs = self._cost.expect(units)
        self._sorted_seconds = math.fsum(costs)
        if self._in_order:
            self._queue = deque(zip(units, costs, strict=True))
            return
        long = self._sorted_seconds / self._engine.slots / LONG_SHARE

        def key(entry: tuple[Unit, float]) -> tuple[bool, int, float]:
            unit, seconds = entry
            is_long = bool(self._sorted_at) and seconds > long
            return (not is_long, 0 if is_long else unit.fold, -seconds)

        self._queue = deque(sorted(zip(units, costs, strict=True), key=key))
