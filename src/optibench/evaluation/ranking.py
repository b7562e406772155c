"""Combine trials to candidates: means over folds, ranks, the winner."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from optibench.errors import SearchError
from optibench.evaluation.scoring import greater_is_better
from optibench.records import Candidate, CandidateResult, Reused, Status, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


MAX_CAUSES = 3
REUSED_FITS = (Reused.FIT, Reused.TRIAL, Reused.RUN)


def summarise(
    trials: Sequence[Trial],
    metric: str,
    n_folds: int,
    *,
    candidates: Mapping[int, Candidate] | None = None,
    stopped: Mapping[int, str] | None = None,
) -> list[CandidateResult]:
    """Return the candidates in their order, ranked by the mean of `metric` over their folds.

    Ranks follow scikit-learn: 1 is the best, and ties share the smaller rank. Candidates with a
    larger budget rank before those with a smaller one. A candidate with a failed, missing or
    non-finite fold is FAILED, one that was stopped is KILLED, and both share the last rank.

    Args:
        trials: ended trials, in any order.
        metric: ranks the candidates.
        n_folds: number of folds that each candidate must have.
        candidates: by number; needed if they differ in budget.
        stopped: by number, why a candidate was stopped early.
    """
    candidates, stopped = candidates or {}, stopped or {}
    of_candidate: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials:
        of_candidate[trial.candidate].append(trial)
    numbers = sorted(of_candidate)
    ordered = [sorted(of_candidate[number], key=lambda trial: trial.fold) for number in numbers]
    known = [candidates.get(n, Candidate(n, of_candidate[n][0].params)) for n in numbers]
    errors = [
        stopped.get(number) or _why_failed(folds, metric, n_folds)
        for number, folds in zip(numbers, ordered, strict=True)
    ]
    means = [_mean_of(metric, folds) for folds in ordered]
    keys = _sort_keys(known, means, metric)
    ranks = _ranks(keys, errors)
    statuses = [
        Status.FINISHED if error is None else Status.KILLED if n in stopped else Status.FAILED
        for n, error in zip(numbers, errors, strict=True)
    ]
    return [_result(*row) for row in zip(known, ordered, ranks, statuses, errors, strict=True)]


def best(results: Sequence[CandidateResult]) -> CandidateResult:
    """Return the winner: the candidate of rank 1 that the search proposed first.

    Raises:
        SearchError: no candidate has a finite score; the message counts the causes.
    """
    winners = [r for r in results if r.rank == 1 and r.status is Status.FINISHED]
    if winners:
        return min(winners, key=lambda result: result.number)
    if not results:
        msg = (
            "The search evaluated no candidate, so there is no winner. If search.max_seconds "
            "limits the search, increase it."
        )
        raise SearchError(msg)
    causes = Counter(result.error or "no reason was recorded" for result in results)
    shown = "; ".join(
        f"{cause} ({count} candidates)" for cause, count in causes.most_common(MAX_CAUSES)
    )
    more = f"; and {len(causes) - MAX_CAUSES} further causes" if len(causes) > MAX_CAUSES else ""
    msg = f"None of the {len(results)} candidates has a finite score. Causes: {shown}{more}."
    raise SearchError(msg)


def _why_failed(folds: Sequence[Trial], metric: str, n_folds: int) -> str | None:
    for trial in folds:
        if trial.status is not Status.FINISHED:
            return trial.error or f"a fold ended as {trial.status}"
        value = trial.scores.get(metric, math.nan)
        if not math.isfinite(value):
            return trial.error or f"{metric} is {value} on a fold"
    if len(folds) < n_folds:
        return f"only {len(folds)} of {n_folds} folds were run"
    return None


def _mean_of(metric: str, folds: Sequence[Trial]) -> float:
    return float(np.mean([trial.scores.get(metric, math.nan) for trial in folds]))


def _over_folds(
    folds: Sequence[Trial], reduce: Callable[[Sequence[float]], np.floating]
) -> dict[str, float]:
    names = dict.fromkeys(name for trial in folds for name in trial.scores)
    columns = {name: [trial.scores.get(name, math.nan) for trial in folds] for name in names}
    return {name: float(reduce(values)) for name, values in columns.items()}


def _sort_keys(
    candidates: Sequence[Candidate], means: Sequence[float], metric: str
) -> list[tuple[float, float]]:
    """Return keys that sort candidates by the larger budget, then by the better mean."""
    sign = -1.0 if greater_is_better(metric) else 1.0
    return [(-c.budget, sign * mean) for c, mean in zip(candidates, means, strict=True)]


def _ranks(keys: Sequence[tuple[float, float]], errors: Sequence[str | None]) -> list[int]:
    """Return minimum ranks; candidates with an error share the rank after all others."""
    finite = sorted(key for key, error in zip(keys, errors, strict=True) if error is None)
    return [
        bisect_left(finite, key) + 1 if error is None else len(finite) + 1
        for key, error in zip(keys, errors, strict=True)
    ]


def _result(
    candidate: Candidate,
    folds: Sequence[Trial],
    rank: int,
    status: Status,
    error: str | None,
) -> CandidateResult:
    return CandidateResult(
        number=candidate.number,
        params=candidate.params,
        mean_scores=_over_folds(folds, np.mean),
        std_scores=_over_folds(folds, np.std),
        rank=rank,
        mean_fit_seconds=float(np.mean([trial.fit_seconds for trial in folds])),
        mean_score_seconds=float(np.mean([trial.score_seconds for trial in folds])),
        cpu_seconds=sum(trial.cpu_seconds for trial in folds),
        start=min(trial.start for trial in folds),
        end=max(trial.end for trial in folds),
        status=status,
        error=error,
        standalone_cpu_seconds=sum(trial.standalone_cpu_seconds for trial in folds),
        reused_fits=sum(trial.reused in REUSED_FITS for trial in folds),
        budget=candidate.budget,
        rows=candidate.rows,
        trials=tuple(folds),
    )
