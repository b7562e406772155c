"""Ask, run, tell: the search's candidates through the schedule, until it is over.

A candidate that was evaluated before in the same way (a repeat of random search, another name of
the same hyperparameter) gets the same trials. Candidates named at the same time that share fits
make one unit per fold.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from optibench.evaluation.ranking import summarise
from optibench.evaluation.scoring import greater_is_better
from optibench.records import Candidate, CandidateResult, Reused, Status, Trial, Unit
from optibench.trials.families import group
from optibench.trials.left_fits import LeftFits

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from optibench.contracts import Model, Search, SearchState
    from optibench.records import UnitOutcome
    from optibench.trials.schedule import Schedule

ANY_NUMBER = 2**31


@dataclass(eq=False)
class Evaluation:
    """A candidate on its way.

    Attributes:
        key: equal for candidates whose trials are the same.
        trials: by fold.
        stopped: why the rest of its folds is not run, or None.
        over: nothing more will be run for it.
    """

    candidate: Candidate
    key: Hashable
    trials: dict[int, Trial] = field(default_factory=dict)
    stopped: str | None = None
    over: bool = False

    def stop(self, reason: str) -> None:
        """Run no more of its folds."""
        self.stopped, self.over = reason, True


@dataclass(frozen=True)
class Question:
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
        question: Question,
        state: SearchState,
        schedule: Schedule,
        on_trials: Callable[[Sequence[Trial]], None],
    ) -> None:
        """Send what `state` proposes through `schedule`; `on_trials` hears of each trial once."""
        self._question = question
        self._state = state
        self._schedule = schedule
        self._on_trials = on_trials
        self._under_way: deque[Evaluation] = deque()  # asked for and not yet told, in this order
        self._evaluations: dict[int, Evaluation] = {}
        self._known: dict[tuple[Hashable, int], Trial | list[Evaluation]] = {}
        self._fits = LeftFits()
        self._wanted: list[tuple[Candidate, int]] = []
        self._over: deque[Evaluation] = deque()  # in the order of completion
        self._news: list[Trial] = []  # of which `on_trials` has not heard
        self._end: str | None = None
        self._target_reached = False

    @property
    def candidates(self) -> dict[int, Candidate]:
        """All that were asked for."""
        return {number: e.candidate for number, e in self._evaluations.items()}

    @property
    def stopped(self) -> dict[int, str]:
        """Why some were not run to their end."""
        return {n: e.stopped for n, e in self._evaluations.items() if e.stopped is not None}

    def run(self) -> None:
        """Until the search proposes nothing more, its time is over or its target is reached."""
        limit = self._question.search.max_seconds
        deadline = None if limit is None else time.monotonic() + limit
        if limit is not None:
            self._schedule.begin_before = time.time() + limit
        finished = False
        try:
            self._advance()
            while self._schedule.busy and self._end is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    self._end = f"search.max_seconds={limit:g} was over"
                    break
                for outcome in self._schedule.wait(left):
                    self._receive(outcome)
                self._advance()
            self._finish()
            finished = True
        finally:
            self._schedule.cancel()
            self._fits.close()
            self._state.close(finished=finished)

    def _advance(self) -> None:
        """Ask and tell as long as either gives something new."""
        told = True
        self._report()
        while told and self._end is None:
            self._ask()
            told = self._tell_next()
        self._report()

    def _report(self) -> None:
        """Pass on the trials that are new."""
        news, self._news = self._news, []
        if news:
            self._on_trials(news)

    def _ask(self) -> None:
        window = self._state.window
        if window is not None and not self._question.search.deterministic:
            window = max(window, self._schedule.slots)
        room = (ANY_NUMBER if window is None else window) - len(self._under_way)
        for candidate in self._state.ask(room) if room > 0 else ():
            self._begin(candidate)
        self._send()

    def _begin(self, candidate: Candidate) -> None:
        evaluation = Evaluation(candidate, self._key(candidate))
        self._evaluations[candidate.number] = evaluation
        self._under_way.append(evaluation)
        for trial in self._state.recall(candidate):
            self._known.setdefault((evaluation.key, trial.fold), replace(trial, reused=Reused.RUN))
        for fold in range(1 if self._state.prunes else self._question.folds):
            self._want(evaluation, fold)

    def _key(self, candidate: Candidate) -> Hashable:
        if not self._question.search.reuse:
            return candidate.number
        parent = self._parent(candidate)
        identity = self._question.model.identity(candidate.params)
        return identity, candidate.rows, None if parent is None else parent.key

    def _parent(self, candidate: Candidate) -> Evaluation | None:
        """The one whose fits a candidate goes on from."""
        number = candidate.continues
        return None if number is None else self._evaluations[number]

    def _want(self, evaluation: Evaluation, fold: int) -> None:
        """Run a fold, wait for another candidate that runs the same, or take what there is."""
        place = (evaluation.key, fold)
        known = self._known.get(place)
        if isinstance(known, Trial):
            self._keep(evaluation, _unpaid(known, evaluation.candidate))
        elif known is not None:
            known.append(evaluation)
        else:
            self._known[place] = []
            self._wanted.append((evaluation.candidate, fold))

    def _send(self) -> None:
        """Queue what is wanted, as units."""
        if not self._wanted:
            return
        wanted, self._wanted = self._wanted, []
        question = self._question
        units = group(wanted, question.model.savings if question.search.reuse else None)
        self._schedule.add([self._with_states(unit) for unit in units])

    def _with_states(self, unit: Unit) -> Unit:
        parents = [self._parent(candidate) for candidate in unit.candidates]
        states = tuple(None if p is None else self._fits.get((p.key, unit.fold)) for p in parents)
        return replace(unit, states=states) if any(states) else unit

    def _receive(self, outcome: UnitOutcome) -> None:
        for position, trial in enumerate(map(self._with_beginning, outcome.trials)):
            evaluation = self._evaluations[trial.candidate]
            place = (evaluation.key, trial.fold)
            waiting = self._known.get(place)
            self._known[place] = trial
            if outcome.states and (state := outcome.states[position]) is not None:
                self._fits.put(place, state)
            if (parent := self._parent(evaluation.candidate)) is not None:
                self._fits.drop((parent.key, trial.fold))
            self._keep(evaluation, trial)
            for other in waiting if isinstance(waiting, list) else ():
                self._keep(other, _unpaid(trial, other.candidate))

    def _with_beginning(self, trial: Trial) -> Trial:
        """A fit that went on from another: alone it would have had to begin it, too."""
        parent = self._parent(self._evaluations[trial.candidate].candidate)
        if parent is None or trial.reused not in (Reused.BEGINNING, Reused.FIT):
            return trial
        first = parent.trials[trial.fold]
        begun = max(0.0, first.standalone_cpu_seconds - first.score_seconds)
        return replace(trial, standalone_cpu_seconds=trial.standalone_cpu_seconds + begun)

    def _keep(self, evaluation: Evaluation, trial: Trial) -> None:
        """Give a candidate one of its trials; with pruning, decide whether there is a next one."""
        evaluation.trials[trial.fold] = trial
        self._news.append(trial)
        done, folds = len(evaluation.trials), self._question.folds
        if done == folds or (self._state.prunes and trial.status is not Status.FINISHED):
            evaluation.over = True
        elif self._state.prunes:
            metric = self._question.metric
            scores = [evaluation.trials[fold].scores[metric] for fold in range(done)]
            if self._state.prune(evaluation.candidate, scores):
                evaluation.stop(f"pruned after {done} of {folds} folds")
            else:
                self._want(evaluation, done)
                return  # where that fold is known, it was kept in there
        if evaluation.over:
            self._over.append(evaluation)

    def _tell_next(self) -> bool:
        """Tell one result: the next in the order asked for, or any where order is of no matter."""
        ready = self._under_way if self._question.search.deterministic else self._over
        if not ready or not ready[0].over:
            return False
        evaluation = ready.popleft()
        if ready is self._over:
            self._under_way.remove(evaluation)
        result = self._result(evaluation)
        self._state.tell([result])
        self._end = self._reached(result)
        return True

    def _result(self, evaluation: Evaluation) -> CandidateResult:
        number, reason = evaluation.candidate.number, evaluation.stopped
        (result,) = summarise(
            list(evaluation.trials.values()),
            self._question.metric,
            self._question.folds,
            candidates={number: evaluation.candidate},
            stopped={} if reason is None else {number: reason},
        )
        return result

    def _reached(self, result: CandidateResult) -> str | None:
        """Why the search ends with this result, or None."""
        target, metric = self._question.search.target, self._question.metric
        if target is None or result.status is not Status.FINISHED or result.budget < 1.0:
            return None
        score = result.mean_scores[metric]
        if score >= target if greater_is_better(metric) else score <= target:
            self._target_reached = True
            return f"search.target={target:g} was reached by candidate {result.number}"
        return None

    def _finish(self) -> None:
        """Where the search ended before its candidates: say so of those that are left."""
        if self._end is None:
            return
        for outcome in self._schedule.stop():
            self._receive(outcome)
        self._report()
        for evaluation in self._under_way:
            if self._target_reached or not evaluation.over:
                evaluation.stop(self._end)


def _unpaid(trial: Trial, candidate: Candidate) -> Trial:
    """The same trial for another candidate, which pays nothing for it."""
    return replace(
        trial,
        candidate=candidate.number,
        params=candidate.params,
        fit_seconds=0.0,
        score_seconds=0.0,
        cpu_seconds=0.0,
        reused=Reused.RUN if trial.reused is Reused.RUN else Reused.TRIAL,
    )
