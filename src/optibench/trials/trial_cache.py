"""Who has which trials: the candidates of a search, what was run for them and what is to be run.

A candidate that was evaluated before in the same way (a repeat of random search, another name of
the same hyperparameter, one that comes to a rung on which an equal one has started) gets the same
trials. Candidates wanted at the same time that share fits make one unit per fold.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from optibench.records import Candidate, Reused, Trial, Unit
from optibench.trials.checkpoints import Checkpoints
from optibench.trials.fit_groups import group

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from optibench.contracts import Model
    from optibench.records import UnitOutcome


@dataclass(eq=False)
class Evaluation:
    """A candidate on its way.

    Attributes:
        key: equal for candidates whose trials are the same.
        trials: by fold.
        stopped: why the rest of its folds is not run, or None.
        complete: nothing more will be run for it.
    """

    candidate: Candidate
    key: Hashable
    trials: dict[int, Trial] = field(default_factory=dict)
    stopped: str | None = None
    complete: bool = False

    def stop(self, reason: str) -> None:
        """Run no more of its folds."""
        self.stopped, self.complete = reason, True


class TrialCache:
    """Keeps the evaluations of one search, each fold of equal ones run once.

    Attributes:
        evaluations: all that were begun, by the candidate's number.
    """

    def __init__(self, model: Model, *, reuse: bool) -> None:
        """Begin empty; without `reuse` every candidate is run for itself."""
        self.evaluations: dict[int, Evaluation] = {}
        self._model = model
        self._reuse = reuse
        self._entries: dict[tuple[Hashable, int], Trial | list[Evaluation]] = {}
        self._checkpoints = Checkpoints()
        self._requested: list[tuple[Candidate, int]] = []

    def begin(self, candidate: Candidate, recalled: Iterable[Trial]) -> Evaluation:
        """Enter a candidate; `recalled` trials of an earlier run need not be run again."""
        evaluation = Evaluation(candidate, self._key(candidate))
        self.evaluations[candidate.number] = evaluation
        for trial in recalled:
            entry_key = (evaluation.key, trial.fold)
            self._entries.setdefault(entry_key, replace(trial, reused=Reused.RUN))
        return evaluation

    def request(self, evaluation: Evaluation, fold: int) -> Trial | None:
        """The trial of a fold where there is one; else it will come from `receive`."""
        entry_key = (evaluation.key, fold)
        entry = self._entries.get(entry_key)
        if isinstance(entry, Trial):
            return _free_copy(entry, evaluation.candidate)
        if entry is not None:
            entry.append(evaluation)
        else:
            self._entries[entry_key] = []
            self._requested.append((evaluation.candidate, fold))
        return None

    def units(self) -> list[Unit]:
        """What is wanted and not yet on its way."""
        requested, self._requested = self._requested, []
        units = group(requested, self._model.fit_sharing if self._reuse else None)
        return [self._with_checkpoints(unit) for unit in units]

    def receive(self, outcome: UnitOutcome) -> Iterator[tuple[Evaluation, Trial]]:
        """The trials of a unit with the candidates whose they are, equal ones included."""
        for position, trial in enumerate(map(self._with_inherited_cost, outcome.trials)):
            evaluation = self.evaluations[trial.candidate]
            entry_key = (evaluation.key, trial.fold)
            waiting = self._entries.get(entry_key)
            self._entries[entry_key] = trial
            if outcome.states and (state := outcome.states[position]) is not None:
                self._checkpoints.put(entry_key, state)
            if (parent := self._parent(evaluation.candidate)) is not None:
                self._checkpoints.drop((parent.key, trial.fold))
            yield evaluation, trial
            for other in waiting if isinstance(waiting, list) else ():
                yield other, _free_copy(trial, other.candidate)

    def close(self) -> None:
        """Remove what fits have left."""
        self._checkpoints.close()

    def _key(self, candidate: Candidate) -> Hashable:
        """What its trials depend on; where a fit goes on and draws anew, also what from."""
        if not self._reuse:
            return candidate.number
        identity = self._model.identity(candidate.params), candidate.rows
        parent, fit_sharing = self._parent(candidate), self._model.fit_sharing
        if (
            parent is None
            or fit_sharing is None
            or fit_sharing.continues_exactly(candidate.params)
        ):
            return identity
        return identity, parent.key

    def _parent(self, candidate: Candidate) -> Evaluation | None:
        """The one whose fits a candidate goes on from."""
        number = candidate.continues
        return None if number is None else self.evaluations[number]

    def _with_checkpoints(self, unit: Unit) -> Unit:
        states = tuple(self._checkpoint(candidate, unit.fold) for candidate in unit.candidates)
        return replace(unit, states=states) if any(states) else unit

    def _checkpoint(self, candidate: Candidate, fold: int) -> bytes | None:
        parent = self._parent(candidate)
        return None if parent is None else self._checkpoints.get((parent.key, fold))

    def _with_inherited_cost(self, trial: Trial) -> Trial:
        """A fit that went on from another: alone it would have had to begin it, too."""
        parent = self._parent(self.evaluations[trial.candidate].candidate)
        if parent is None or trial.reused not in (Reused.BEGINNING, Reused.FIT):
            return trial
        first = parent.trials[trial.fold]
        inherited = max(0.0, first.standalone_cpu_seconds - first.score_seconds)
        return replace(trial, standalone_cpu_seconds=trial.standalone_cpu_seconds + inherited)


def _free_copy(trial: Trial, candidate: Candidate) -> Trial:
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
