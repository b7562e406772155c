"""A search by an Optuna sampler under way: ask, tell, prune, and go on after an interruption."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from optibench.records import Candidate, CandidateResult, Params, Status, Trial
from optibench.search.journal import StoredCandidate, StudyJournal, read_trials
from optibench.search.optuna_library import optuna_distributions, quiet
from optibench.search.points import Point, corner_points
from optibench.search.proposals import Proposals
from optibench.search.pruning import STUDY_NAME, Pruning, trial_for_decisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna
    from optuna.trial import TrialState

    from optibench.contracts import Journal, SearchFacts
    from optibench.search.optuna_settings import OptunaSettings
    from optibench.search.space import Space


@dataclass
class _Pending:
    """A candidate asked for and not yet told.

    Attributes:
        n_observed: how many had been told when it was asked for.
        stored: what an interrupted search wrote of it.
        pruning_trial: its trial where pruning is decided; None: no fold was pruning_trial yet.
        n_folds_decided: how many of its folds that trial has.
        pruned: it was decided to stop it.
    """

    trial: optuna.Trial
    point: Point
    n_observed: int
    stored: StoredCandidate | None
    pruning_trial: optuna.Trial | None = None
    n_folds_decided: int = 0
    pruned: bool = False


class OptunaProposals(Proposals):
    """Candidates drawn one by one, in a study in memory.

    What is written down (see `open`) is not what is drawn from: a resumed search is told the
    written results again, in order, and so comes to the same state.
    """

    def __init__(
        self, search: OptunaSettings, params: Params, space: Space, facts: SearchFacts
    ) -> None:
        """Make the study.

        Raises:
            ConfigError: the space holds what Optuna does not take, or the pruner is not allowed.
        """
        import optuna

        self.total = search.n_iter
        self.window = search.parallel
        self.prunes = search.pruner is not None
        self.examples = [
            Candidate(i, {**params, **point}) for i, point in enumerate(corner_points(space))
        ]
        self._search = search
        self._params = params
        self._facts = facts
        self._distributions = optuna_distributions(space)
        self._pruning = None if search.pruner is None else Pruning(search.pruner, facts)
        self._journal: StudyJournal | None = None
        self._stored: dict[int, StoredCandidate] = {}
        self._n_proposed = 0
        self._observed: list[optuna.trial.FrozenTrial] = []
        self._pending: dict[int, _Pending] = {}
        with quiet():
            self._study = optuna.create_study(
                study_name=STUDY_NAME,
                direction="maximize" if facts.greater_is_better else "minimize",
                sampler=search.sampler(0),
                pruner=self._pruning.pruner if self._pruning else optuna.pruners.NopPruner(),
            )

    def open(self, journal: Journal) -> None:
        """Take up what an interrupted search with the same name has written.

        In the order asked for, the search repeats itself, and what it asks again is recalled.
        Otherwise what is written comes first, and the rest is drawn after it.
        """
        self._journal = StudyJournal(journal, maximize=self._facts.greater_is_better)
        stored = self._journal.stored
        if self._search.deterministic:
            self._stored = {entry.number: entry for entry in stored}
        else:
            self._stored = dict(enumerate(stored))

    def ask(self, room: int) -> Sequence[Candidate]:
        """The next candidates; each is drawn with those before it under way."""
        return [self._propose() for _ in range(min(room, self.total - self._n_proposed))]

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Trials written by an interrupted search; fewer than folds where it was pruned."""
        pending = self._pending.get(candidate.number)
        if pending is None or pending.stored is None:
            return ()
        return read_trials(pending.stored.trials_json, candidate)

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Ask the pruner; a candidate with a score that is no number is left to fail."""
        pending = self._pending.get(candidate.number)
        if self._pruning is None or pending is None or not all(map(math.isfinite, scores)):
            return False
        pruned = self._decide_pruning(self._pruning, candidate.number, pending, scores)
        if pending.stored is not None:
            # As it was: where results are told as they come, it would be decided otherwise now.
            pruned = pending.pruned = pending.stored.pruned_after == len(scores)
        return pruned

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Tell the study, and write down what an interrupted search would need."""
        for result in results:
            self._tell(result, self._pending.pop(result.number))

    def close(self, *, finished: bool) -> None:
        """Release the journal."""
        if self._journal is not None:
            self._journal.close(finished=finished)
            self._journal = None

    def _propose(self) -> Candidate:
        number = self._n_proposed
        self._n_proposed += 1
        stored = self._stored.get(number)
        with quiet():
            self._study.sampler = self._search.sampler(number)
            if stored is not None and not self._search.deterministic:
                self._study.enqueue_trial(stored.point)
            trial = self._study.ask(self._distributions)
        drawn = trial.params
        point = {key: drawn[key] for key in self._distributions}
        if stored is not None and stored.point != point:
            # Another version of Optuna draws otherwise: what is written belongs to other points.
            stored = None
        self._pending[number] = _Pending(trial, point, len(self._observed), stored)
        return Candidate(number, {**self._params, **point})

    def _decide_pruning(
        self, pruning: Pruning, number: int, pending: _Pending, scores: Sequence[float]
    ) -> bool:
        if pending.pruning_trial is None:
            pending.pruning_trial = pending.trial
            if self._search.deterministic:
                observed = self._observed[: pending.n_observed]
                pending.pruning_trial = pruning.trial_at_proposal(observed, number)
        with quiet():
            values = pruning.values(scores)
            for step in range(pending.n_folds_decided, len(scores)):
                pending.pruning_trial.report(values[step], step)
            pending.n_folds_decided = len(scores)
            pending.pruned = pending.pruning_trial.should_prune()
        return pending.pruned

    def _tell(self, result: CandidateResult, pending: _Pending) -> None:
        if self._pruning is not None:
            self._report_folds(self._pruning, result, pending)
        state, value = _outcome(result, self._facts.metric, pruned=pending.pruned)
        with quiet():
            self._study.tell(pending.trial, value, state)
        trial = self._study.get_trials(deepcopy=False)[result.number]
        self._observed.append(trial_for_decisions(trial, pending.pruning_trial))
        self._store(result, pending, trial)

    def _report_folds(self, pruning: Pruning, result: CandidateResult, pending: _Pending) -> None:
        """Let the study know the folds, which later decisions compare with."""
        scores = _scores(result, self._facts.metric)
        self._repeat_decisions(pruning, result.number, pending, scores)
        reported = pending.n_folds_decided if pending.pruning_trial is pending.trial else 0
        values = pruning.values(scores)
        with quiet():
            for step in range(reported, len(values)):
                pending.trial.report(values[step], step)

    def _repeat_decisions(
        self, pruning: Pruning, number: int, pending: _Pending, scores: Sequence[float]
    ) -> None:
        """Decide again on recalled folds: later decisions look at the marks that this leaves."""
        n_decisions = min(len(scores), self._facts.folds - 1)
        for folds in range(pending.n_folds_decided + 1, n_decisions + 1):
            self._decide_pruning(pruning, number, pending, scores[:folds])
        if pending.stored is not None:
            pending.pruned = pending.stored.pruned_after is not None

    def _store(
        self, result: CandidateResult, pending: _Pending, trial: optuna.trial.FrozenTrial
    ) -> None:
        if self._journal is None or pending.stored is not None:
            return
        if result.status is Status.KILLED and not pending.pruned:
            return  # it was stopped from outside: a search that goes on runs it again
        self._journal.write(result, trial)


def _scores(result: CandidateResult, metric: str) -> list[float]:
    """Of its folds, up to the first that has none."""
    scores = [trial.scores.get(metric, math.nan) for trial in result.trials]
    return list(takewhile(math.isfinite, scores))


def _outcome(
    result: CandidateResult, metric: str, *, pruned: bool
) -> tuple[TrialState, float | None]:
    """The state and the value to tell Optuna, which takes a pruned one's value from its folds."""
    from optuna.trial import TrialState

    mean = result.mean_scores.get(metric, math.nan)
    if result.status is Status.FINISHED and math.isfinite(mean):
        return TrialState.COMPLETE, mean
    if result.status is Status.KILLED and pruned:
        return TrialState.PRUNED, None
    return TrialState.FAIL, None  # or stopped from outside, of which nothing can be learned
