"""The search loop: ask for candidates, run their trials, tell the results."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.evaluation.ranking import summarise
from optibench.evaluation.scoring import greater_is_better
from optibench.records import Candidate, CandidateResult, Status, Trial
from optibench.trials.trial_cache import TrialCache

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.contracts import Model, Scheduler, Search, SearchState
    from optibench.records import UnitOutcome
    from optibench.trials.trial_cache import Evaluation

UNLIMITED = 2**31


@dataclass(frozen=True)
class SearchProblem:
    """The parts of a benchmark that the search loop needs.

    Attributes:
        metric: the metric that ranks candidates.
        folds: number of folds of the cross-validation.
    """

    model: Model
    search: Search
    metric: str
    folds: int


class SearchLoop:
    """Runs one search, from its first candidate to its last result."""

    def __init__(
        self,
        problem: SearchProblem,
        state: SearchState,
        scheduler: Scheduler,
        on_trials: Callable[[Sequence[Trial]], None],
    ) -> None:
        """Run the proposals of `state` on `scheduler`; `on_trials` gets each trial once."""
        self._problem = problem
        self._state = state
        self._scheduler = scheduler
        self._on_trials = on_trials
        self._pending: deque[Evaluation] = deque()  # without a recorded result, as proposed
        self._trial_cache = TrialCache(problem.model, reuse=problem.search.reuse)
        self._completed: deque[Evaluation] = deque()  # in order of completion
        self._unreported: list[Trial] = []  # not yet passed to `on_trials`
        self._end_reason: str | None = None
        self._target_reached = False

    @property
    def candidates(self) -> dict[int, Candidate]:
        """All proposed candidates, by number."""
        return {number: e.candidate for number, e in self._trial_cache.evaluations.items()}

    def budget_of(self, number: int) -> float:
        """Return the share of the full resource that a candidate has."""
        return self._trial_cache.evaluations[number].candidate.budget

    @property
    def stopped(self) -> dict[int, str]:
        """The reason for each candidate that did not run on all its folds, by number."""
        return {
            n: e.stopped for n, e in self._trial_cache.evaluations.items() if e.stopped is not None
        }

    def run(self) -> None:
        """Run until the search has no candidates left or reaches its time limit or target."""
        limit = self._problem.search.max_seconds
        deadline = None if limit is None else time.monotonic() + limit
        if limit is not None:
            self._scheduler.begin_before = time.time() + limit
        try:
            self._advance()
            while self._scheduler.busy and self._end_reason is None:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    self._end_reason = f"search.max_seconds={limit:g} was reached"
                    break
                for outcome in self._scheduler.wait(remaining):
                    self._receive(outcome)
                self._advance()
            self._finish()
        finally:
            self._scheduler.cancel()
            self._trial_cache.close()

    def _advance(self) -> None:
        """Ask and tell until there is no more result to tell."""
        recorded = True
        self._report()
        while recorded and self._end_reason is None:
            self._ask()
            recorded = self._tell_next()
        self._report()

    def _report(self) -> None:
        """Pass new trials to `on_trials`."""
        trials, self._unreported = self._unreported, []
        if trials:
            self._on_trials(trials)

    def _ask(self) -> None:
        window = self._state.window
        if window is not None and not self._problem.search.deterministic:
            window = max(window, self._scheduler.slots)
        room = (UNLIMITED if window is None else window) - len(self._pending)
        for candidate in self._state.ask(room) if room > 0 else ():
            self._begin(candidate)
        self._scheduler.add(self._trial_cache.units())

    def _begin(self, candidate: Candidate) -> None:
        evaluation = self._trial_cache.begin(candidate, self._state.recall(candidate))
        self._pending.append(evaluation)
        for fold in range(1 if self._state.prunes else self._problem.folds):
            self._request(evaluation, fold)

    def _request(self, evaluation: Evaluation, fold: int) -> None:
        """Request a fold, and record its trial at once if it is cached."""
        trial = self._trial_cache.request(evaluation, fold)
        if trial is not None:
            self._record(evaluation, trial)

    def _receive(self, outcome: UnitOutcome) -> None:
        for evaluation, trial in self._trial_cache.receive(outcome):
            self._record(evaluation, trial)

    def _record(self, evaluation: Evaluation, trial: Trial) -> None:
        """Record a trial of a candidate; with pruning, decide whether its next fold runs."""
        evaluation.trials[trial.fold] = trial
        self._unreported.append(trial)
        done, folds = len(evaluation.trials), self._problem.folds
        if done == folds or (self._state.prunes and trial.status is not Status.FINISHED):
            evaluation.complete = True
        elif self._state.prunes:
            metric = self._problem.metric
            scores = [evaluation.trials[fold].scores[metric] for fold in range(done)]
            if self._state.prune(evaluation.candidate, scores):
                evaluation.stop(f"pruned after {done} of {folds} folds")
            else:
                self._request(evaluation, done)
                return  # that call has recorded the next trial if it is cached
        if evaluation.complete:
            self._completed.append(evaluation)

    def _tell_next(self) -> bool:
        """Tell the next result and return whether there was one.

        With `deterministic` it is the next in order of proposal, else in order of completion.
        """
        ready = self._pending if self._problem.search.deterministic else self._completed
        if not ready or not ready[0].complete:
            return False
        evaluation = ready.popleft()
        if ready is self._completed:
            self._pending.remove(evaluation)
        result = self._result(evaluation)
        self._state.tell([result])
        self._end_reason = self._target_reason(result)
        return True

    def _result(self, evaluation: Evaluation) -> CandidateResult:
        number, reason = evaluation.candidate.number, evaluation.stopped
        (result,) = summarise(
            list(evaluation.trials.values()),
            self._problem.metric,
            self._problem.folds,
            candidates={number: evaluation.candidate},
            stopped={} if reason is None else {number: reason},
        )
        return result

    def _target_reason(self, result: CandidateResult) -> str | None:
        """Return why the search ends with this result, or None."""
        target, metric = self._problem.search.target, self._problem.metric
        if target is None or result.status is not Status.FINISHED or result.budget < 1.0:
            return None
        score = result.mean_scores[metric]
        if score >= target if greater_is_better(metric) else score <= target:
            self._target_reached = True
            return f"search.target={target:g} was reached by candidate {result.number}"
        return None

    def _finish(self) -> None:
        """Stop the remaining candidates, with the reason, if the search ended early."""
        if self._end_reason is None:
            return
        self._scheduler.stop()
        while self._scheduler.busy:
            for outcome in self._scheduler.wait():
                self._receive(outcome)
            self._report()
        for evaluation in self._pending:
            if self._target_reached or not evaluation.complete:
                evaluation.stop(self._end_reason)
