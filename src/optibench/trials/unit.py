"""One unit in a worker: trials that share fits run together, others one by one."""

from __future__ import annotations

import functools
import math
import os
import re
import socket
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optibench.contracts import FitSetting, GroupMember
from optibench.evaluation.scoring import score
from optibench.records import Candidate, Scores, Status, Trial, Unit, UnitOutcome
from optibench.trials.cost_attribution import TrialCosts
from optibench.trials.scores import CachedScores

if TYPE_CHECKING:
    from optibench.measure.profiles.trial_profiles import TrialProfiler
    from optibench.trials.context import TrialContext
    from optibench.trials.fold import Fold

TIME_OF_DAY = re.compile(r"^\[\d\d:\d\d:\d\d\] ")


def run_unit(context: TrialContext, unit: Unit, profiler: TrialProfiler) -> UnitOutcome:
    """Fit and score the candidates of a unit on its fold; errors make FAILED trials."""
    begin = time.perf_counter()
    fold = context.fold(unit.fold, unit.candidates[0].rows)
    count, outcome, attempt_seconds = len(unit.candidates), None, 0.0
    if _shares_fits(context, unit):
        cpu = time.process_time()
        outcome = _run_shared(context, unit, fold, profiler)
        attempt_seconds = (time.process_time() - cpu) / count
    if outcome is None:  # a failed attempt is charged in addition to the individual fits
        alone = [_run_alone(context, unit, i, fold, profiler) for i in range(count)]
        outcome = (
            tuple(replace(t, cpu_seconds=t.cpu_seconds + attempt_seconds) for t in alone),
            (),
        )
    trials, states = outcome
    done = replace(unit, states=()) if unit.states else unit  # the driver has these checkpoints
    return UnitOutcome(done, trials, time.perf_counter() - begin, states)


SharedOutcome = tuple[tuple[Trial, ...], tuple[bytes | None, ...]]


def _shares_fits(context: TrialContext, unit: Unit) -> bool:
    """Return whether the model can share fits of these candidates, and may or must do so."""
    fit_sharing, candidates = context.model.fit_sharing, unit.candidates
    resumes = any(unit.states) or any(candidate.resumable for candidate in candidates)
    sharing = context.reuse or resumes
    return (
        sharing
        and fit_sharing is not None
        and fit_sharing.fit_group(candidates[0].params) is not None
    )


def _run_shared(
    context: TrialContext, unit: Unit, fold: Fold, profiler: TrialProfiler
) -> SharedOutcome | None:
    """Fit the candidates together with the model's `FitSharing`; return None if it raises.

    The individual fits then report what is wrong, as in a search without sharing.
    """
    fit_sharing, candidates = context.model.fit_sharing, unit.candidates
    if fit_sharing is None:
        return None
    states = unit.states or (None,) * len(candidates)
    members = [
        GroupMember(c.params, state, c.resumable)
        for c, state in zip(candidates, states, strict=True)
    ]
    setting = FitSetting(context.facts, context.seed, context.threads)
    costs, scorer = TrialCosts(len(members)), CachedScores(context, fold)
    start, begin = time.time(), time.perf_counter()
    scores: dict[int, Scores] = {}
    checkpoints: dict[int, bytes] = {}
    try:
        with profiler:
            for shared in fit_sharing.fit(members, fold, costs, setting):
                scored = scorer.score(shared.prediction, shared.members, costs)
                scores |= dict.fromkeys(shared.members, scored)
                checkpoints |= shared.states
    except Exception:
        # To the worker's log: if the individual fits then succeed, the sharing itself is broken.
        traceback.print_exc()
        return None
    interval = Interval(start, start + time.perf_counter() - begin)
    trials = [interval.trial(context, unit, i, scores[i], costs) for i in range(len(members))]
    return tuple(trials), tuple(checkpoints.get(i) for i in range(len(members)))


def _run_alone(
    context: TrialContext, unit: Unit, position: int, fold: Fold, profiler: TrialProfiler
) -> Trial:
    """Create, fit and score one estimator."""
    candidate: Candidate = unit.candidates[position]
    model, costs = context.model, TrialCosts(1)
    start, begin = time.time(), time.perf_counter()
    scored, error = Scores({}), None
    try:
        X_train, X_validation = fold.X_train, fold.X_validation
        with profiler:
            with costs.fit() as sharers:
                sharers.append(0)
                estimator = model.make(
                    candidate.params, context.facts, seed=context.seed, threads=context.threads
                )
                estimator = model.fit(estimator, X_train, fold.y_train, seed=context.seed)
            with costs.score() as sharers:
                sharers.append(0)
                prediction = model.predict(estimator, X_validation)
                scored = score(
                    model.task, X_validation, fold.y_validation, prediction, context.scoring
                )
    except Exception as raised:
        error = f"{type(raised).__name__}: {_message(raised)}"
    interval = Interval(start, start + time.perf_counter() - begin, error)
    return interval.trial(context, Unit((candidate,), unit.fold), 0, scored, costs)


def _message(raised: Exception) -> str:
    """Return the message without XGBoost's time and stack, so that equal causes are equal."""
    return TIME_OF_DAY.sub("", str(raised)).partition("\nStack trace:")[0].strip()


@dataclass(frozen=True)
class Interval:
    """Start and end of trials in seconds since the epoch, and the error that ended them."""

    start: float
    end: float
    error: str | None = None

    def trial(
        self, context: TrialContext, unit: Unit, position: int, scored: Scores, costs: TrialCosts
    ) -> Trial:
        """Return the record of one trial of `unit`; it fails without a finite ranking metric."""
        candidate, metric, error = unit.candidates[position], context.metric, self.error
        value = scored.values.get(metric, math.nan)
        if error is None and not math.isfinite(value):
            error = scored.undefined.get(metric, f"{metric} is {value}")
        return Trial(
            candidate=candidate.number,
            params=candidate.params,
            fold=unit.fold,
            scores=dict(scored.values),
            fit_seconds=costs.fit_seconds[position],
            score_seconds=costs.score_seconds[position],
            cpu_seconds=costs.cpu_seconds[position],
            worker=_worker_name(),
            start=self.start,
            end=self.end,
            status=Status.FINISHED if error is None else Status.FAILED,
            error=error,
            standalone_cpu_seconds=costs.standalone_cpu_seconds[position],
            reused=costs.reused[position],
        )


@functools.cache
def _host() -> str:
    return socket.gethostname()


def _worker_name() -> str:
    return f"{_host()}:{os.getpid()}"
