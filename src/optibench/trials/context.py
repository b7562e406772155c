"""The data and the settings that all trials of a search have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optibench.trials.fold import SMALL_BYTES, Fold, FoldCache, FoldSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import Model
    from optibench.evaluation.scoring import ScoringSettings
    from optibench.records import DataFacts


@dataclass(frozen=True, eq=False)
class TrialContext:
    """Data and settings of all trials of a search; shared once with every worker.

    Attributes:
        X, y: the train part, (n, n_features) and (n,) or None.
        folds: (train, validation) row numbers of each fold.
        metric: the ranking metric; a trial in which it is not finite has failed.
        reuse: whether candidates share fits, scores and matrices.
        cache_bytes: limit of what a worker caches for one fold.
        fold_cache: the folds that this process holds; they are freed with the context.
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
    fold_cache: FoldCache = field(default_factory=FoldCache, init=False, repr=False)

    def fold(self, number: int, share: float) -> Fold:
        """Return fold `number` with `share` of its train rows, from the cache if it is there."""
        source = FoldSource(
            self.X, self.y, self.folds, self.seed, self.cache_bytes if self.reuse else None
        )
        return self.fold_cache.get(source, number, share)
