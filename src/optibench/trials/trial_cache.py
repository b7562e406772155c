"""The trials of a search, by candidate and fold: finished, running and still to run.

A candidate that equals an earlier one (drawn again by random search, written with another name of
the same hyperparameter, or promoted to a rung on which an equal one has started) gets the same
trials. Candidates that are requested at the same time and share fits make one unit per fold.
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
    """A candidate and its trials so far.

    Attributes:
        key: equal for candidates whose trials are the same.
        trials: by fold.
        stopped: why its remaining folds do not run, or None.
        complete: no more of its folds will run.
    """

    candidate: Candidate
    key: Hashable
    trials: dict[int, Trial] = field(default_factory=dict)
    stopped: str | None = None
    complete: bool = False

    def stop(self, reason: str) -> None:
        """Complete it without its remaining folds."""
        self.stopped, self.complete = reason, True


class TrialCache:
    """The evaluations of one search; equal candidates run each fold once.

    Attributes:
        evaluations: all evaluations, by candidate number.
    """

    def __init__(self, model: Model, *, reuse: bool) -> None:
        """Start empty; without `reuse` every candidate runs its own trials."""
        self.evaluations: dict[int, Evaluation] = {}
        self._model = model
        self._reuse = reuse
        self._entries: dict[tuple[Hashable, int], Trial | list[Evaluation]] = {}
        self._checkpoints = Checkpoints()
        self._requested: list[tuple[Candidate, int]] = []

    def begin(self, candidate: Candidate, recalled: Iterable[Trial]) -> Evaluation:
        """Return the evaluation of a new candidate, whose `recalled` trials do not run again."""
        evaluation = Evaluation(candidate, self._key(candidate))
        self.evaluations[candidate.number] = evaluation
        for trial in recalled:
            entry_key = (evaluation.key, trial.fold)
            self._entries.setdefault(entry_key, replace(trial, reused=Reused.RUN))
        return evaluation

    def request(self, evaluation: Evaluation, fold: int) -> Trial | None:
        """Return the trial of a fold if it is cached; otherwise `receive` will yield it."""
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
        """Return the units of the trials requested since the last call."""
        requested, self._requested = self._requested, []
        units = group(requested, self._model.fit_sharing if self._reuse else None)
        return [self._with_checkpoints(unit) for unit in units]

    def receive(self, outcome: UnitOutcome) -> Iterator[tuple[Evaluation, Trial]]:
        """Yield each trial with every evaluation it belongs to, equal candidates included."""
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
        """Remove the checkpoints."""
        self._checkpoints.close()

    def _key(self, candidate: Candidate) -> Hashable:
        """Return what the trials of a candidate depend on.

        That includes the candidate it continues, unless the fit equals an uninterrupted one.
        """
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
        """Return the evaluation whose fits a candidate continues, or None."""
        number = candidate.continues
        return None if number is None else self.evaluations[number]

    def _with_checkpoints(self, unit: Unit) -> Unit:
        states = tuple(self._checkpoint(candidate, unit.fold) for candidate in unit.candidates)
        return replace(unit, states=states) if any(states) else unit

    def _checkpoint(self, candidate: Candidate, fold: int) -> bytes | None:
        parent = self._parent(candidate)
        return None if parent is None else self._checkpoints.get((parent.key, fold))

    def _with_inherited_cost(self, trial: Trial) -> Trial:
        """Add the cost of the continued fit to the cost of a trial without sharing."""
        parent = self._parent(self.evaluations[trial.candidate].candidate)
        if parent is None or trial.reused not in (Reused.BEGINNING, Reused.FIT):
            return trial
        first = parent.trials[trial.fold]
        inherited = max(0.0, first.standalone_cpu_seconds - first.score_seconds)
        return replace(trial, standalone_cpu_seconds=trial.standalone_cpu_seconds + inherited)


def _free_copy(trial: Trial, candidate: Candidate) -> Trial:
    """Return the trial as that of another candidate, to which no cost is charged."""
    return replace(
        trial,
        candidate=candidate.number,
        params=candidate.params,
        fit_seconds=0.0,
        score_seconds=0.0,
        cpu_seconds=0.0,
        reused=Reused.RUN if trial.reused is Reused.RUN else Reused.TRIAL,
    )
