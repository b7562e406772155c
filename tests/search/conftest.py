"""A loop that drives a search like `trials.loop`, with scores from a function."""

import math
import random

import numpy as np
import pytest

from optibench.records import CandidateResult, Status, Trial

FOLDS = 5


class Loop:
    """A search loop that evaluates folds in this process.

    Attributes:
        told: the results in the order in which `tell` got them.
        ran: numbers of the candidates that were evaluated, not recalled.
    """

    def __init__(self, state, score, *, deterministic=True, workers=3, seed=0):
        """Evaluate folds with `score(params, rows, fold)`; NaN is a failed fold."""
        self.state, self.score, self.folds = state, score, FOLDS
        self.deterministic, self.workers = deterministic, workers
        self.shuffle = random.Random(seed)  # noqa: S311
        self.asked, self.told, self.ran = [], [], []
        self._under_way, self._done = [], {}

    def run(self, tells=None):
        """Run until the search is over or has got `tells` results."""
        self._ask()
        while self._under_way or self._done:
            self._complete_one()
            while (result := self._next_to_tell()) is not None:
                self.state.tell([result])
                self.told.append(result)
                if len(self.told) == tells:
                    return self
                self._ask()
        return self

    def _ask(self):
        under_way = len(self.asked) - len(self.told)
        window = self.state.window
        if window is None:
            room = 10**6
        elif self.deterministic:
            room = window - under_way
        else:
            room = max(0, self.workers - len(self._under_way)) + window - len(self._under_way)
        candidates = list(self.state.ask(max(room, 0)))
        assert len(candidates) <= max(room, 0)
        self.asked += candidates
        self._under_way += candidates

    def _complete_one(self):
        """Evaluate a random one of the candidates that the workers hold."""
        if not self._under_way:
            return
        position = self.shuffle.randrange(min(self.workers, len(self._under_way)))
        candidate = self._under_way.pop(position)
        self._done[candidate.number] = self._evaluate(candidate)

    def _next_to_tell(self):
        number = len(self.told) if self.deterministic else next(iter(self._done), None)
        return self._done.pop(number, None)

    def _evaluate(self, candidate):
        recalled = {trial.fold: trial for trial in self.state.recall(candidate)}
        trials, pruned = self._folds(candidate, recalled)
        if len(trials) > len(recalled):
            self.ran.append(candidate.number)
        return result_of(candidate, trials, pruned=pruned)

    def _folds(self, candidate, recalled):
        trials = []
        for fold in range(self.folds):
            trials.append(recalled.get(fold) or trial_of(candidate, fold, self.score))
            scores = [trial.scores["score"] for trial in trials]
            ask = self.state.prunes and fold + 1 < self.folds
            if ask and self.state.prune(candidate, scores):
                return trials, True
        return trials, False


def trial_of(candidate, fold, score):
    value = score(candidate.params, candidate.rows, fold)
    status = Status.FINISHED if math.isfinite(value) else Status.FAILED
    times = {"fit_seconds": 0.1, "score_seconds": 1 / 3, "cpu_seconds": 0.2 + fold}
    return Trial(
        candidate.number,
        candidate.params,
        fold,
        {"score": value, "other": 1.0},
        **times,
        worker="w",
        start=1.5,
        end=2.5,
        status=status,
        error=None if status is Status.FINISHED else "it broke",
    )


def result_of(candidate, trials, *, pruned=False):
    scores = [trial.scores["score"] for trial in trials]
    mean = float(np.mean(scores))
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


@pytest.fixture(scope="session")
def loop():
    """Return the class `Loop`; a test may derive from it."""
    return Loop


@pytest.fixture(scope="session")
def evaluate():
    """Return `evaluate(candidate, score)`, which returns the result of all folds."""

    def evaluate(candidate, score):
        return result_of(candidate, [trial_of(candidate, fold, score) for fold in range(FOLDS)])

    return evaluate
