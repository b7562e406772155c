"""Ask, run, tell: the search's candidates through the schedule, until it is over."""

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

    from optibench.contracts import Model, Search, SearchState
    from optibench.records import UnitOutcome
    from optibench.trials.scheduler import Scheduler
    from optibench.trials.trial_cache import Evaluation

UNLIMITED = 2**31


@dataclass(frozen=True)
class SearchProblem:
    """What the loop must know of the benchmark.

    Attributes:
        metric: that ranks candidates; folds: of the cross-validation.
    """

    model: Model
    search: Search
    metric: str
    folds: int


class SearchLoop:
    """Runs one search.

    Attributes:
        candidates: all that were asked for, by number.
        stopped: for each candidate that was not run to its end, why.
    """

    def __init__(
        self,
        problem: SearchProblem,
        state: SearchState,
        scheduler: Scheduler,
        on_trials: Callable[[Sequence[Trial]], None],
    ) -> None:
        """Send what `state` proposes through `scheduler`; `on_trials` hears of each trial once."""
        self._problem = problem
        self._state = state
        self._scheduler = scheduler
        self._on_trials = on_trials
        self._pending: deque[Evaluation] = deque()  # asked for and not yet told, in this order
        self._trial_cache = TrialCache(problem.model, reuse=problem.search.reuse)
        self._completed: deque[Evaluation] = deque()  # in the order of completion
        self._unreported: list[Trial] = []  # of which `on_trials` has not heard
        self._end_reason: str | None = None
        self._target_reached = False

    @property
    def candidates(self) -> dict[int, Candidate]:
        """All that were asked for."""
        return {number: e.candidate for number, e in self._trial_cache.evaluations.items()}

    def budget_of(self, number: int) -> float:
        """The share of the full resource that a candidate has."""
        return self._trial_cache.evaluations[number].candidate.budget

    @property
    def stopped(self) -> dict[int, str]:
        """Why some were not run to their end."""
        return {
            n: e.stopped for n, e in self._trial_cache.evaluations.items() if e.stopped is not None
        }

    def run(self) -> None:
        """Until the search proposes nothing more, its time is over or its target is reached."""
        limit = self._problem.search.max_seconds
        deadline = None if limit is None else time.monotonic() + limit
        if limit is not None:
            self._scheduler.begin_before = time.time() + limit
        try:
            self._advance()
            while self._scheduler.busy and self._end_reason is None:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    self._end_reason = f"search.max_seconds={limit:g} was over"
                    break
                for outcome in self._scheduler.wait(remaining):
                    self._receive(outcome)
                self._advance()
            self._finish()
        finally:
            self._scheduler.cancel()
            self._trial_cache.close()

    def _advance(self) -> None:
        """Ask and tell as long as either gives something new."""
        recorded = True
        self._report()
        while recorded and self._end_reason is None:
            self._ask()
            recorded = self._tell_next()
        self._report()

    def _report(self) -> None:
        """Pass on the trials that are new."""
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
        """Run a fold, or take what there is of it."""
        trial = self._trial_cache.request(evaluation, fold)
        if trial is not None:
            self._record(evaluation, trial)

    def _receive(self, outcome: UnitOutcome) -> None:
        for evaluation, trial in self._trial_cache.receive(outcome):
            self._record(evaluation, trial)

    def _record(self, evaluation: Evaluation, trial: Trial) -> None:
        """Give a candidate one of its trials; with pruning, decide whether there is a next one."""
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
                return  # where that fold is known, it was kept in there
        if evaluation.complete:
            self._completed.append(evaluation)

    def _tell_next(self) -> bool:
        """Tell one result: the next in the order asked for, or any where order is of no matter."""
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
        """Why the search ends with this result, or None."""
        target, metric = self._problem.search.target, self._problem.metric
        if target is None or result.status is not Status.FINISHED or result.budget < 1.0:
            return None
        score = result.mean_scores[metric]
        if score >= target if greater_is_better(metric) else score <= target:
            self._target_reached = True
            return f"search.target={target:g} was reached by candidate {result.number}"
        return None

    def _finish(self) -> None:
        """Where the search ended before its candidates: say so of those that are remaining."""
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
