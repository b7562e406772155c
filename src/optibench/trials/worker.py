"""What runs inside a worker: a batch of trials, each fitted, scored and measured in place."""

from __future__ import annotations

import functools
import importlib
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optibench.measure.profiles.trial_profiles import TrialProfiler
from optibench.records import Batch, BatchOutcome, UnitOutcome
from optibench.trials.fold import SMALL_BYTES, FoldCache
from optibench.trials.unit import run_unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import Model
    from optibench.evaluation.scoring import ScoringSettings
    from optibench.records import DataFacts


@dataclass(frozen=True, eq=False)
class TrialContext:
    """All that trials have in common; shared once with every worker.

    Attributes:
        X, y: the train part, (n, n_features) and (n,) or None.
        folds: (train, validation) row numbers of each.
        metric: the ranking metric; a trial in which it is not finite has failed.
        reuse: candidates share fits, scores and matrices.
        cache_bytes: how much of those a worker may keep for a fold.
        held: the folds that a worker holds; they go when it lets the context go.
    """

    model: Model
    X: NDArray[np.float64]
    y: NDArray[Any] | None
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    facts: DataFacts
    scoring: ScoringSettings
    metric: str
    seed: int
    threads: int
    profiling: bool
    reuse: bool = True
    cache_bytes: int = SMALL_BYTES
    held: FoldCache = field(default_factory=FoldCache, init=False, repr=False)


def run_batch(context: TrialContext, batch: Batch) -> BatchOutcome:
    """Run units until the batch or its time slice is over; what was not begun goes back."""
    profiler = TrialProfiler(enabled=context.profiling)
    outcomes: list[UnitOutcome] = []
    deadline = time.perf_counter() + batch.slice_seconds
    with hold_threads(context.model.modules, context.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit's warnings are not the user's to mend; scores tell
        for unit in batch.units:
            if time.time() > batch.begin_before:
                break
            outcomes.append(run_unit(context, unit, profiler))
            if time.perf_counter() > deadline:
                break
    profile = profiler.dump() if context.profiling else None
    return BatchOutcome(tuple(outcomes), batch.units[len(outcomes) :], profile)


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
