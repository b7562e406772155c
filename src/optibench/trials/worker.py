"""A batch in a worker: each trial is fitted, scored and measured there."""

from __future__ import annotations

import functools
import importlib
import time
import warnings
from typing import TYPE_CHECKING

from optibench.measure.profiles.trial_profiles import TrialProfiler
from optibench.records import Batch, BatchOutcome, UnitOutcome
from optibench.trials.unit import run_unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from threadpoolctl import ThreadpoolController

    from optibench.trials.context import TrialContext


def run_batch(context: TrialContext, batch: Batch) -> BatchOutcome:
    """Run units until the batch or its time slice ends, and return those that did not start."""
    profiler = TrialProfiler(enabled=context.profiling)
    outcomes: list[UnitOutcome] = []
    deadline = time.perf_counter() + batch.slice_seconds
    with hold_threads(context.model.modules, context.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # users cannot act on warnings of single fits
        for unit in batch.units:
            if time.time() > batch.begin_before:
                break
            outcomes.append(run_unit(context, unit, profiler))
            if time.perf_counter() > deadline:
                break
    profile = profiler.dump() if context.profiling else None
    return BatchOutcome(tuple(outcomes), batch.units[len(outcomes) :], profile)


def hold_threads(modules: Sequence[str], threads: int) -> AbstractContextManager[object]:
    """Limit OpenMP and BLAS to `threads`; the limit of OpenMP is that of the calling thread."""
    limit: AbstractContextManager[object] = _threadpools(tuple(modules)).limit(limits=threads)
    return limit


@functools.cache
def _threadpools(modules: tuple[str, ...]) -> ThreadpoolController:
    """Return the native libraries of this process, found once after `modules` are imported."""
    from threadpoolctl import ThreadpoolController

    for module in modules:
        importlib.import_module(module)
    return ThreadpoolController()
