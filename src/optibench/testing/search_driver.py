"""Drives a search as a benchmark does, with scores from a function instead of fits."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Self

import numpy as np

from optibench.records import CandidateResult, Status, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.contracts import SearchState
    from optibench.records import Candidate, Params

    Score = Callable[[Params, float, int], float]  # hyperparameters, share of the rows, fold

FOLDS = 5
ANY_NUMBER = 10**6


class SearchDriver:
    """Asks for candidates, evaluates their folds, prunes them and tells the results.

    Attributes:
        asked: the candidates in the order in which they were asked for.
        observed: the results in the order in which the search received them.
        ran: numbers of the candidates that were evaluated, at least in part.
    """

    folds = FOLDS

    def __init__(
        self,
        state: SearchState,
        score: Score,
        *,
        deterministic: bool = True,
        workers: int = 3,
        seed: int = 0,
    ) -> None:
        """Take a search that was started.

        Args:
            state: what to drive.
            score: `score(params, rows, fold)`; NaN is a fold that failed.
            deterministic: tell results in the order in which candidates were asked for.
            workers: candidates that are evaluated at the same time.
            seed: of the chance by which one of these ends first.
        """
        self.state, self.score = state, score
        self.deterministic, self.workers = deterministic, workers
        self.shuffle = random.Random(seed)  # noqa: S311 - chance, no secret
        self.asked: list[Candidate] = []
        self.observed: list[CandidateResult] = []
        self.ran: list[int] = []
        self._under_way: list[Candidate] = []
        self._done: dict[int, CandidateResult] = {}

    def run(self, tells: int | None = None) -> Self:
        """Go on until the search is over, or until it has received `tells` results."""
        self._ask()
        while self._under_way or self._done:
            self._complete_one()
            waits_in_vain = not self._under_way and len(self.observed) not in self._done
            if self.deterministic and waits_in_vain:
                number = len(self.observed)
                msg = f"candidate {number} is missing; candidates are numbered from 0 in order"
                raise AssertionError(msg)
            while (result := self._next_to_tell()) is not None:
                self.state.tell([result])
                self.observed.append(result)
                if len(self.observed) == tells:
                    return self
                self._ask()
        return self

    def _ask(self) -> None:
        candidates = list(self.state.ask(room := self._room()))
        assert len(candidates) <= room, f"asked for {room} candidates, it gave {len(candidates)}"
        self.asked += candidates
        self._under_way += candidates

    def _room(self) -> int:
        window = self.state.window
        if window is None:
            return ANY_NUMBER
        if self.deterministic:
            return max(0, window - (len(self.asked) - len(self.observed)))
        free = max(0, self.workers - len(self._under_way))
        return max(0, free + window - len(self._under_way))

    def _complete_one(self) -> None:
        """End the evaluation of one of the candidates that workers hold."""
        if self._under_way:
            position = self.shuffle.randrange(min(self.workers, len(self._under_way)))
            candidate = self._under_way.pop(position)
            self._done[candidate.number] = self._evaluate(candidate)

    def _next_to_tell(self) -> CandidateResult | None:
        first = len(self.observed) if self.deterministic else next(iter(self._done), -1)
        return self._done.pop(first, None)

    def _evaluate(self, candidate: Candidate) -> CandidateResult:
        recalled = {trial.fold: trial for trial in self.state.recall(candidate)}
        trials, pruned = self._evaluate_folds(candidate, recalled)
        if len(trials) > len(recalled):
            self.ran.append(candidate.number)
        return result_of(candidate, trials, pruned=pruned)

    def _evaluate_folds(
        self, candidate: Candidate, recalled: dict[int, Trial]
    ) -> tuple[list[Trial], bool]:
        trials: list[Trial] = []
        for fold in range(self.folds):
            trials.append(recalled.get(fold) or trial_of(candidate, fold, self.score))
            scores = [trial.scores["score"] for trial in trials]
            may_prune = self.state.prunes and fold + 1 < self.folds
            if may_prune and self.state.prune(candidate, scores):
                return trials, True
        return trials, False


def trial_of(candidate: Candidate, fold: int, score: Score) -> Trial:
    """Return the trial of a candidate on one fold; it has failed where the score is NaN."""
    value = score(candidate.params, candidate.rows, fold)
    finished = math.isfinite(value)
    return Trial(
        candidate.number,
        candidate.params,
        fold,
        {"score": value, "other": 1.0},
        fit_seconds=0.1,
        score_seconds=1 / 3,
        cpu_seconds=0.2 + fold,
        worker="w",
        start=1.5,
        end=2.5,
        status=Status.FINISHED if finished else Status.FAILED,
        error=None if finished else "it broke",
    )


def result_of(
    candidate: Candidate, trials: Sequence[Trial], *, pruned: bool = False
) -> CandidateResult:
    """Sum up the trials of a candidate."""
    mean = float(np.mean([trial.scores["score"] for trial in trials]))
    status = Status.FINISHED if math.isfinite(mean) else Status.FAILED
    return CandidateResult(
        candidate.number,
        candidate.params,
        {"score": mean},
        {"score": 0.0},
        rank=1,
        mean_fit_seconds=0.0,
        mean_score_seconds=0.0,
        cpu_seconds=0.0,
        start=0.0,
        end=0.0,
        status=Status.KILLED if pruned else status,
        budget=candidate.budget,
        rows=candidate.rows,
        trials=tuple(trials),
    )
