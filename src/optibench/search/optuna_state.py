"""A search by an Optuna sampler under way: ask, tell, prune, and go on after an interruption."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from optibench.records import Candidate, CandidateResult, Params, Status, Trial
from optibench.search.journal import StudyJournal, Written, read_trials
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
class _UnderWay:
    """A candidate asked for and not yet told.

    Attributes:
        told_before: how many had been told when it was asked for.
        written: what an interrupted search wrote of it.
        judged: its trial where pruning is decided; None: no fold was judged yet.
        folds_judged: how many of its folds that trial has.
        pruned: it was decided to stop it.
    """

    trial: optuna.Trial
    point: Point
    told_before: int
    written: Written | None
    judged: optuna.Trial | None = None
    folds_judged: int = 0
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
        self._written: dict[int, Written] = {}
        self._asked = 0
        self._told: list[optuna.trial.FrozenTrial] = []
        self._under_way: dict[int, _UnderWay] = {}
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
        written = self._journal.written
        if self._search.deterministic:
            self._written = {entry.number: entry for entry in written}
        else:
            self._written = dict(enumerate(written))

    def ask(self, room: int) -> Sequence[Candidate]:
        """The next candidates; each is drawn with those before it under way."""
        return [self._ask() for _ in range(min(room, self.total - self._asked))]

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Trials written by an interrupted search; fewer than folds where it was pruned."""
        under_way = self._under_way.get(candidate.number)
        if under_way is None or under_way.written is None:
            return ()
        return read_trials(under_way.written.trials, candidate)

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Ask the pruner; a candidate with a score that is no number is left to fail."""
        under_way = self._under_way.get(candidate.number)
        if self._pruning is None or under_way is None or not all(map(math.isfinite, scores)):
            return False
        pruned = self._judge(self._pruning, candidate.number, under_way, scores)
        if under_way.written is not None:
            # As it was: where results are told as they come, it would be decided otherwise now.
            pruned = under_way.pruned = under_way.written.pruned_after == len(scores)
        return pruned

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Tell the study, and write down what an interrupted search would need."""
        for result in results:
            self._tell(result, self._under_way.pop(result.number))

    def close(self, *, finished: bool) -> None:
        """Release the journal."""
        if self._journal is not None:
            self._journal.close(finished=finished)
            self._journal = None

    def _ask(self) -> Candidate:
        number = self._asked
        self._asked += 1
        written = self._written.get(number)
        with quiet():
            self._study.sampler = self._search.sampler(number)
            if written is not None and not self._search.deterministic:
                self._study.enqueue_trial(written.point)
            trial = self._study.ask(self._distributions)
        drawn = trial.params
        point = {key: drawn[key] for key in self._distributions}
        if written is not None and written.point != point:
            # Another version of Optuna draws otherwise: what is written belongs to other points.
            written = None
        self._under_way[number] = _UnderWay(trial, point, len(self._told), written)
        return Candidate(number, {**self._params, **point})

    def _judge(
        self, pruning: Pruning, number: int, under_way: _UnderWay, scores: Sequence[float]
    ) -> bool:
        if under_way.judged is None:
            under_way.judged = under_way.trial
            if self._search.deterministic:
                told = self._told[: under_way.told_before]
                under_way.judged = pruning.trial_as_of(told, number)
        with quiet():
            values = pruning.values(scores)
            for step in range(under_way.folds_judged, len(scores)):
                under_way.judged.report(values[step], step)
            under_way.folds_judged = len(scores)
            under_way.pruned = under_way.judged.should_prune()
        return under_way.pruned

    def _tell(self, result: CandidateResult, under_way: _UnderWay) -> None:
        if self._pruning is not None:
            self._report(self._pruning, result, under_way)
        state, value = _outcome(result, self._facts.metric, pruned=under_way.pruned)
        with quiet():
            self._study.tell(under_way.trial, value, state)
        trial = self._study.get_trials(deepcopy=False)[result.number]
        self._told.append(trial_for_decisions(trial, under_way.judged))
        self._write(result, under_way, trial)

    def _report(self, pruning: Pruning, result: CandidateResult, under_way: _UnderWay) -> None:
        """Let the study know the folds, which later decisions compare with."""
        scores = _scores(result, self._facts.metric)
        self._judge_recalled(pruning, result.number, under_way, scores)
        reported = under_way.folds_judged if under_way.judged is under_way.trial else 0
        values = pruning.values(scores)
        with quiet():
            for step in range(reported, len(values)):
                under_way.trial.report(values[step], step)

    def _judge_recalled(
        self, pruning: Pruning, number: int, under_way: _UnderWay, scores: Sequence[float]
    ) -> None:
        """Decide again on recalled folds: later decisions look at the marks that this leaves."""
        judged = min(len(scores), self._facts.folds - 1)
        for folds in range(under_way.folds_judged + 1, judged + 1):
            self._judge(pruning, number, under_way, scores[:folds])
        if under_way.written is not None:
            under_way.pruned = under_way.written.pruned_after is not None

    def _write(
        self, result: CandidateResult, under_way: _UnderWay, trial: optuna.trial.FrozenTrial
    ) -> None:
        if self._journal is None or under_way.written is not None:
            return
        if result.status is Status.KILLED and not under_way.pruned:
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
