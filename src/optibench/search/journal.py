"""The results of a search in a stored Optuna study, from which an interrupted search resumes.

The database `optuna.db` is in the folder of MLflow's database, but is a separate file: both
programs keep their schema version in a table called `alembic_version`, and MLflow refuses a
database with Optuna's version in it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import TrackingError
from optibench.records import Reused, Status, Trial
from optibench.search.optuna_library import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import filelock
    from optuna.storages import RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from optibench.contracts import Journal
    from optibench.records import Candidate, CandidateResult
    from optibench.search.points import Point

DATABASE = "optuna.db"
LOCK_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class StoredCandidate:
    """A candidate that an interrupted search had evaluated.

    Attributes:
        number: its number in that search.
        trials_json: its trials, see `write_trials`.
        pruned_after: number of folds after which it was pruned; None: it was not pruned.
    """

    number: int
    point: Point
    trials_json: str
    pruned_after: int | None


class StudyJournal:
    """One study of the database, locked while this object is open.

    A study is called `<name>-<n>`. The first one that is neither finished nor locked by a live
    process is resumed; if there is none, a new one is created.

    Attributes:
        stored: its candidates, in the order in which their results were recorded.
    """

    def __init__(self, journal: Journal, *, maximize: bool) -> None:
        """Open the database and lock a study; create the database on first use.

        Raises:
            TrackingError: the database cannot be used.
        """
        self._path = journal.folder / DATABASE
        with _translate_errors(self._path):
            self._storage = _open_database(self._path)
            self._lock, self._study = self._lock_study(journal, maximize=maximize)
            self.stored = list(map(_stored_candidate, self._study.get_trials(deepcopy=False)))

    def write(self, result: CandidateResult, trial: FrozenTrial) -> None:
        """Store the result of a candidate; it is durable when this returns.

        Args:
            result: the result as recorded by the search.
            trial: the same candidate in the search's study in memory.

        Raises:
            TrackingError: the database cannot be used.
        """
        from optuna.trial import create_trial

        attributes = {"number": result.number, "trials": write_trials(result.trials)}
        with _translate_errors(self._path):
            self._study.add_trial(
                create_trial(
                    state=trial.state,
                    value=trial.value,
                    params=trial.params,
                    distributions=trial.distributions,
                    user_attrs=attributes,
                    intermediate_values=trial.intermediate_values,
                )
            )

    def close(self, *, finished: bool) -> None:
        """Release the study; later searches do not resume it if it is finished."""
        try:
            if finished:
                with _translate_errors(self._path):
                    self._study.set_user_attr("finished", value=True)
        finally:
            self._storage.remove_session()
            self._storage.engine.dispose()
            self._lock.release()

    def _lock_study(
        self, journal: Journal, *, maximize: bool
    ) -> tuple[filelock.BaseFileLock, Study]:
        import filelock
        import optuna

        locks = journal.folder / ".locks"  # never removed: that would race with other processes
        locks.mkdir(exist_ok=True)
        number = 1
        while True:
            name = f"{journal.name}-{number}"
            lock = filelock.FileLock(locks / f"optuna-{name}.lock", timeout=0)
            try:
                lock.acquire()
            except filelock.Timeout:
                number += 1
                continue
            study = optuna.create_study(
                study_name=name,
                storage=self._storage,
                direction="maximize" if maximize else "minimize",
                sampler=optuna.samplers.RandomSampler(seed=0),
                load_if_exists=True,
            )
            if not study.user_attrs.get("finished", False):
                return lock, study
            lock.release()
            number += 1


def write_trials(trials: Sequence[Trial]) -> str:
    """Return trials as JSON with exact floats, without the candidate's hyperparameters."""
    rows = [asdict(trial) for trial in trials]
    for row in rows:
        del row["candidate"], row["params"]
    return json.dumps(rows, default=float)


def read_trials(text: str, candidate: Candidate) -> list[Trial]:
    """Return the trials of `candidate` from the output of `write_trials`."""
    return [_read_trial(row, candidate) for row in json.loads(text)]


def _read_trial(row: dict[str, Any], candidate: Candidate) -> Trial:
    enums = {"status": Status(row["status"]), "reused": Reused(row["reused"])}
    return Trial(candidate=candidate.number, params=candidate.params, **{**row, **enums})


def _stored_candidate(trial: FrozenTrial) -> StoredCandidate:
    number, trials = trial.user_attrs["number"], trial.user_attrs["trials"]
    pruned_after = len(json.loads(trials)) if trial.state == trial.state.PRUNED else None
    return StoredCandidate(number, dict(trial.params), trials, pruned_after)


def _open_database(path: Path) -> RDBStorage:
    import filelock
    import optuna

    with quiet(), filelock.FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_SECONDS):
        # This creates the tables, which two processes must not do at the same time.
        return optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_SECONDS}}
        )


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Raise errors of Optuna, SQLAlchemy and SQLite as `TrackingError`."""
    try:
        with quiet():
            yield
    except Exception as error:
        msg = (
            f"The search's journal {path} cannot be used ({type(error).__name__}): make sure "
            "that the folder is writable and has free space, or move the file away to start a new "
            "one."
        )
        raise TrackingError(msg) from error
