"""What a search has learned, written to an Optuna study, so that an interrupted search goes on.

The database is `optuna.db` beside MLflow's, and never MLflow's own: both programs keep their
schema version in a table called `alembic_version`, and MLflow then refuses its database.
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
        number: what it had there.
        trials_json: as JSON, see `write_trials`.
        pruned_after: so many folds; None: it was not pruned.
    """

    number: int
    point: Point
    trials_json: str
    pruned_after: int | None


class StudyJournal:
    """One study of the database, locked while this object is open.

    A study is called `<name>-<n>`. The first that is neither finished nor locked by a live
    process is taken up; where there is none, a new one begins.

    Attributes:
        stored: what is in it, in the order in which it was told.
    """

    def __init__(self, journal: Journal, *, maximize: bool) -> None:
        """Open the database, and make it at the first use.

        Raises:
            TrackingError: it cannot be used.
        """
        self._path = journal.folder / DATABASE
        with _translate_errors(self._path):
            self._storage = _open_database(self._path)
            self._lock, self._study = self._lock_study(journal, maximize=maximize)
            self.stored = list(map(_stored_candidate, self._study.get_trials(deepcopy=False)))

    def write(self, result: CandidateResult, trial: FrozenTrial) -> None:
        """Write down a told candidate; it is durable when this returns.

        Args:
            result: as it was told.
            trial: what Optuna was told of it.

        Raises:
            TrackingError: the database refused.
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
        """Release the study; a finished one is left alone by later searches."""
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

        locks = journal.folder / ".locks"  # they stay: to remove one is a race
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
    """Trials as JSON, every float to the last bit; their hyperparameters are the candidate's."""
    rows = [asdict(trial) for trial in trials]
    for row in rows:
        del row["candidate"], row["params"]
    return json.dumps(rows, default=float)


def read_trials(text: str, candidate: Candidate) -> list[Trial]:
    """The trials of `candidate` from what `write_trials` made of them."""
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
        # The tables are made here, which two processes must not do at the same time.
        return optuna.storages.RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_SECONDS}}
        )


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Optuna lets errors of SQLAlchemy, SQLite and its own through."""
    try:
        with quiet():
            yield
    except Exception as error:
        msg = (
            f"The search's journal {path} cannot be used ({type(error).__name__}): see that the "
            "folder can be written and has room, or move the file away to begin a new one."
        )
        raise TrackingError(msg) from error
