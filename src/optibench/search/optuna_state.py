"""A running search by an Optuna sampler: ask, tell, prune, and resume after an interruption."""

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
    """A candidate that was proposed and has no recorded result yet.

    Attributes:
        n_observed: number of results recorded when it was proposed.
        stored: its record in an interrupted search, or None.
        pruning_trial: its trial in the study that decides on pruning; None: no decision yet.
        n_folds_decided: number of its folds reported to `pruning_trial`.
        pruned: the last decision was to stop it.
    """

    trial: optuna.Trial
    point: Point
    n_observed: int
    stored: StoredCandidate | None
    pruning_trial: optuna.Trial | None = None
    n_folds_decided: int = 0
    pruned: bool = False


class OptunaProposals(Proposals):
    """Candidates drawn one by one from a study in memory.

    The stored study (see `open`) is never sampled. A resumed search records the stored results
    again, in the same order, and so reaches the same state.
    """

    def __init__(
        self, search: OptunaSettings, params: Params, space: Space, facts: SearchFacts
    ) -> None:
        """Create the study in memory.

        Raises:
            ConfigError: the space contains a value that Optuna does not accept, or the pruner is
                not allowed.
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
        """Resume an interrupted search with the same name, if there is one.

        With `deterministic` the search repeats its proposals, whose stored results are recalled.
        Otherwise it proposes the stored candidates first and then draws new ones.
        """
        self._journal = StudyJournal(journal, maximize=self._facts.greater_is_better)
        stored = self._journal.stored
        if self._search.deterministic:
            self._stored = {entry.number: entry for entry in stored}
        else:
            self._stored = dict(enumerate(stored))

    def ask(self, room: int) -> Sequence[Candidate]:
        """Return the next candidates; each is drawn while the ones before it are pending."""
        return [self._propose() for _ in range(min(room, self.total - self._n_proposed))]

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Return the stored trials of a candidate; fewer than folds if it was pruned."""
        pending = self._pending.get(candidate.number)
        if pending is None or pending.stored is None:
            return ()
        return read_trials(pending.stored.trials_json, candidate)

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Return the pruner's decision; False for a candidate with a failed fold."""
        pending = self._pending.get(candidate.number)
        if self._pruning is None or pending is None or not all(map(math.isfinite, scores)):
            return False
        pruned = self._decide_pruning(self._pruning, candidate.number, pending, scores)
        if pending.stored is not None:
            # Repeat the stored decision: without `deterministic` other results may be known now.
            pruned = pending.pruned = pending.stored.pruned_after == len(scores)
        return pruned

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Record results in the study, and store what a resumed search needs."""
        for result in results:
            self._tell(result, self._pending.pop(result.number))

    def close(self, *, finished: bool) -> None:
        """Release the stored study."""
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
            # Another version of Optuna draws other points, to which the stored result belongs.
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
        """Report the folds to the study, because later decisions compare with them."""
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
        """Decide again on recalled folds: later decisions read the attributes that this sets."""
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
            return  # stopped from outside: a resumed search runs it again
        self._journal.write(result, trial)


def _scores(result: CandidateResult, metric: str) -> list[float]:
    """Return the scores of the folds before the first one without a finite score."""
    scores = [trial.scores.get(metric, math.nan) for trial in result.trials]
    return list(takewhile(math.isfinite, scores))


def _outcome(
    result: CandidateResult, metric: str, *, pruned: bool
) -> tuple[TrialState, float | None]:
    """Return the state and the value for Optuna, which derives a pruned value from folds."""
    from optuna.trial import TrialState

    mean = result.mean_scores.get(metric, math.nan)
    if result.status is Status.FINISHED and math.isfinite(mean):
        return TrialState.COMPLETE, mean
    if result.status is Status.KILLED and pruned:
        return TrialState.PRUNED, None
    return TrialState.FAIL, None  # also if stopped from outside: its scores are incomplete
