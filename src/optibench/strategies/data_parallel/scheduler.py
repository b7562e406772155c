"""Run the units of a search as jobs, one after the other, each on all workers."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.contracts import DistributedFit
from optibench.errors import FitError
from optibench.evaluation.scoring import score
from optibench.records import Scores, Status, Trial, Unit, UnitOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from optibench.contracts import FitJob, PredictionRequest, Trainer
    from optibench.evaluation.scoring import ScoringSettings
    from optibench.records import Candidate, Chunk, Task
    from optibench.strategies.data_parallel.parts import Parts

MAX_JOB_CANDIDATES = 32  # enough to share fits, few enough for steady progress


@dataclass(frozen=True, eq=False)
class FitContext:
    """What the fits of a search need, and what scores them.

    Attributes:
        rows: validation rows of each fold, gathered in the driver; with features only where the
            metrics need them.
        requests: the predictions that a fit makes for the validation rows of each fold.
        reuse: candidates share work where that changes no score.
        in_order: candidates are completed one after the other.
    """

    trainer: Trainer
    parts: Parts
    task: Task
    metric: str
    scoring: ScoringSettings
    rows: Mapping[int, Chunk]
    requests: Mapping[int, PredictionRequest]
    reuse: bool
    in_order: bool = False

    def job(self, candidates: Sequence[Candidate], fold: int) -> FitJob:
        """Return the job that fits candidates on one fold."""
        params = [candidate.params for candidate in candidates]
        return self.parts.job(params, self.parts.without(fold), [self.requests[fold]])


class DistributedScheduler:
    """Implements `contracts.Scheduler` for fits that each use all workers.

    Attributes:
        begin_before: not used: the search loop checks the time before each job, and a job of a
            limited search has one candidate (`FitContext.in_order`).
        profiles: always empty; `Strategy.profiles` returns those of data-parallel fits.
    """

    slots = 1

    def __init__(self, context: FitContext) -> None:
        """Begin with an empty queue."""
        self.begin_before = math.inf
        self.profiles: list[bytes] = []
        self._context = context
        self._queue: deque[tuple[Candidate, int]] = deque()
        self._outcomes: Iterator[UnitOutcome] | None = None

    @property
    def busy(self) -> bool:
        """True while a unit is queued or runs."""
        return self._outcomes is not None or bool(self._queue)

    def add(self, units: Iterable[Unit]) -> None:
        """Queue more units."""
        self._queue.extend((c, unit.fold) for unit in units for c in unit.candidates)

    def wait(self, timeout_seconds: float | None = None) -> list[UnitOutcome]:
        """Return the next trial; the time-out does not interrupt a fit."""
        del timeout_seconds
        if self._outcomes is None and self._queue:
            self._outcomes = self._run(*self._take())
        outcome = None if self._outcomes is None else next(self._outcomes, None)
        if outcome is None:
            self._outcomes = None
            return []
        return [outcome]

    def stop(self) -> None:
        """Drop queued units; `wait` still returns the trials of the job under way."""
        self._queue.clear()

    def cancel(self) -> None:
        """Drop the job under way; no fit runs between two calls of `wait`."""
        self._outcomes = None

    def _take(self) -> tuple[list[Candidate], int]:
        """Take candidates of the first queued unit's fold from the queue."""
        alone = self._context.in_order or not self._context.reuse
        fold, limit = self._queue[0][1], 1 if alone else MAX_JOB_CANDIDATES
        taken = [entry for entry in self._queue if entry[1] == fold][:limit]
        self._queue = deque(entry for entry in self._queue if entry not in taken)
        return [candidate for candidate, _ in taken], fold

    def _run(self, candidates: Sequence[Candidate], fold: int) -> Iterator[UnitOutcome]:
        """Run a job; if it fails, run its candidates one by one to find the failing one."""
        job = self._context.job(candidates, fold)
        left, begin = dict(enumerate(candidates)), time.time()
        try:
            for fit in self._context.trainer.fit(job):
                trial = self._trial(left.pop(fit.position), fold, fit, begin)
                begin = trial.end
                yield UnitOutcome(Unit((), fold), (trial,), trial.end - trial.start)
        except FitError as error:
            if len(candidates) == 1:
                failed = DistributedFit(0, None, error=str(error))
                trial = self._trial(candidates[0], fold, failed, begin)
                yield UnitOutcome(Unit((), fold), (trial,), trial.end - trial.start)
            else:
                for candidate in left.values():
                    yield from self._run([candidate], fold)

    def _trial(self, candidate: Candidate, fold: int, fit: DistributedFit, begin: float) -> Trial:
        context, clock, scores, error = self._context, time.perf_counter(), Scores({}), fit.error
        if error is None:
            rows = context.rows[fold]
            scores = score(context.task, rows.X, rows.y, fit.predictions[0], context.scoring)
            value = scores.values.get(context.metric, math.nan)
            if not math.isfinite(value):
                error = scores.undefined.get(context.metric, f"{context.metric} is {value}")
        return Trial(
            candidate=candidate.number,
            params=candidate.params,
            fold=fold,
            scores=dict(scores.values),
            fit_seconds=fit.fit_seconds,
            score_seconds=fit.predict_seconds + time.perf_counter() - clock,
            cpu_seconds=fit.cpu_seconds,
            worker="all",
            start=begin,
            end=time.time(),
            status=Status.FINISHED if error is None else Status.FAILED,
            error=error,
            standalone_cpu_seconds=fit.standalone_cpu_seconds,
            reused=fit.reused,
        )
