"""What runs inside a worker: a batch of trials, each fitted, scored and measured in place."""

from __future__ import annotations

import functools
import importlib
import math
import os
import socket
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.evaluation.scoring import ScoringSettings, score
from optibench.measure.profiles import TrialProfiler
from optibench.records import Batch, BatchOutcome, DataFacts, Status, Trial, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import Model


@dataclass(frozen=True, eq=False)
class TrialContext:
    """All that trials have in common; shared once with every worker.

    Attributes:
        X, y: the train part, (n, n_features) and (n,) or None.
        folds: pairs of (train, validation) row numbers.
        metric: the ranking metric; a trial in which it is not finite has failed.
    """

    model: Model
    X: NDArray[np.float64]
    y: NDArray[np.int64] | None
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    facts: DataFacts
    scoring: ScoringSettings
    metric: str
    seed: int
    threads: int
    profiling: bool


def run_batch(context: TrialContext, batch: Batch) -> BatchOutcome:
    """Run units until the batch or its time slice is over; what was not begun goes back."""
    profiler = TrialProfiler(enabled=context.profiling)
    trials: list[Trial] = []
    deadline = time.perf_counter() + batch.slice_seconds
    with hold_threads(context.model.modules, context.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit's warnings are not the user's to mend; scores tell
        for unit in batch.units:
            trials.append(run_trial(context, unit, profiler))
            if time.perf_counter() > deadline:
                break
    profile = profiler.dump() if context.profiling else None
    return BatchOutcome(tuple(trials), batch.units[len(trials) :], profile)


def run_trial(context: TrialContext, unit: Unit, profiler: TrialProfiler) -> Trial:
    """Fit and score one candidate on one fold; errors make a FAILED trial, never an exception."""
    train, validation = context.folds[unit.fold]
    X_train, X_validation = context.X[train], context.X[validation]
    y_train = None if context.y is None else context.y[train]
    y_validation = None if context.y is None else context.y[validation]
    start, cpu = time.time(), time.process_time()
    begin = fitted = time.perf_counter()
    scores: dict[str, float] = {}
    error = None
    try:
        with profiler:
            model = context.model
            estimator = model.estimator(
                unit.candidate.params, context.facts, seed=context.seed, threads=context.threads
            )
            estimator.fit(X_train, y_train)
            fitted = time.perf_counter()
            prediction = model.predict(estimator, X_validation)
            scored = score(model.task, X_validation, y_validation, prediction, context.scoring)
            end, cpu_end = time.perf_counter(), time.process_time()
        scores = dict(scored.values)
        if not math.isfinite(scores[context.metric]):
            error = scored.undefined.get(
                context.metric, f"{context.metric} is {scores[context.metric]}"
            )
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
        end, cpu_end = time.perf_counter(), time.process_time()
    fit_seconds = (fitted if fitted > begin else end) - begin
    return Trial(
        candidate=unit.candidate.number,
        params=unit.candidate.params,
        fold=unit.fold,
        scores=scores,
        fit_seconds=fit_seconds,
        score_seconds=end - begin - fit_seconds,
        cpu_seconds=cpu_end - cpu,
        worker=_worker_name(),
        start=start,
        end=start + end - begin,
        status=Status.FINISHED if error is None else Status.FAILED,
        error=error,
    )


def hold_threads(modules: Sequence[str], threads: int) -> AbstractContextManager[Any]:
    """Hold OpenMP and BLAS to `threads` in the calling thread (OpenMP's setting is its own)."""
    return _threadpools(tuple(modules)).limit(limits=threads)  # type: ignore[no-any-return]


@functools.cache
def _threadpools(modules: tuple[str, ...]) -> Any:
    """The native libraries of this process; looked up once, after `modules` have loaded theirs."""
    from threadpoolctl import ThreadpoolController

    for module in modules:
        importlib.import_module(module)
    return ThreadpoolController()


@functools.cache
def _host() -> str:
    return socket.gethostname()


def _worker_name() -> str:
    return f"{_host()}:{os.getpid()}"
