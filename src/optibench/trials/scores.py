"""Scores on one fold; equal cluster labels are scored once, distances are computed once."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from optibench.evaluation.cluster_metrics import distances_between
from optibench.evaluation.scoring import score_clusters, score_target
from optibench.records import Prediction, Reused, Scores, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from optibench.contracts import CostAttribution
    from optibench.trials.context import TrialContext
    from optibench.trials.fold import Fold

SCORES_BYTES = 500  # of a cache entry: a digest and four numbers


class CachedScores:
    """Scores predictions on the validation rows of a fold, with the fold's cache."""

    def __init__(self, context: TrialContext, fold: Fold) -> None:
        """Use the task and the scoring settings of `context`."""
        self._context = context
        self._fold = fold
        self._distance_seconds = 0.0

    def score(
        self, prediction: Prediction, members: Sequence[int], costs: CostAttribution
    ) -> Scores:
        """Return every metric; the members share the cost."""
        with costs.score() as sharers:
            sharers.extend(members)
            task = self._context.model.task
            if task is not Task.CLUSTERING:
                y = self._fold.y_validation
                return score_target(task, y, prediction, self._context.scoring)
            scores, saved_seconds = self._score_clusters(prediction)
        if saved_seconds:
            costs.reuse(members, Reused.MATRIX, saved_seconds)
        return scores

    def _score_clusters(self, prediction: Prediction) -> tuple[Scores, float]:
        """Return the scores of the labels, and the CPU seconds that the cache saved."""
        fold, settings = self._fold, self._context.scoring
        self._distance_seconds = 0.0
        X = fold.X_validation

        def compute() -> tuple[Scores, float]:
            begin = time.process_time()
            scores = score_clusters(X, prediction, settings, self._distances)
            return scores, time.process_time() - begin + self._distance_seconds

        digest = hashlib.blake2b(prediction.labels.tobytes(), digest_size=16).digest()
        entry = fold.keep(("labels", digest), compute, SCORES_BYTES)
        scores, standalone_seconds = entry.value
        saved_seconds = self._distance_seconds if entry.fresh else standalone_seconds
        return _with_inertia(scores, prediction.inertia), saved_seconds

    def _distances(self, X: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the distances between the rows of the silhouette, or None if they do not fit."""
        n_bytes = len(X) ** 2 * X.itemsize
        if not self._fold.may_cache("distances", n_bytes):
            return None
        entry = self._fold.keep("distances", lambda: distances_between(X), n_bytes)
        if not entry.fresh:
            self._distance_seconds = entry.cpu_seconds
        distances: NDArray[np.float64] = entry.value
        return distances


def _with_inertia(scores: Scores, inertia: float | None) -> Scores:
    """Replace the cached inertia, whose last bits may differ between equal labels."""
    if inertia is None:
        return scores
    return replace(scores, values={**scores.values, "inertia": inertia})
