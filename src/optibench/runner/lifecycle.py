"""The life of one MLflow run: created when the data are known, and closed however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from optibench.errors import BenchmarkError, InputError
from optibench.records import Status
from optibench.runner.header import journal_of, make_header

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optibench.config.schema import TrackingSettings
    from optibench.contracts import Tracker
    from optibench.measure.clock.phases import Recorder
    from optibench.runner.artifacts import RunArtifacts
    from optibench.runner.settings import PreparedRun, RunSettings


def open_tracker(tracking: TrackingSettings) -> Tracker:
    """Open the MLflow store that the settings name."""
    from optibench.tracking.mlflow_tracker import MlflowTracker
    from optibench.tracking.store import prepare_store

    store = prepare_store(tracking.uri, Path.cwd())
    return MlflowTracker(store, tracking.experiment, children=tracking.children)


class RunLifecycle:
    """Creates an MLflow run by `begin`, and closes it as FINISHED, FAILED or KILLED.

    Wrong data and Ctrl-C before `begin` create no run; any other error creates one that names it.

    Attributes:
        run_id: empty until the run is created.
        tracker: where the run is written; usable once the run is created.
    """

    tracker: Tracker

    def __init__(
        self,
        settings: RunSettings,
        clock: Recorder,
        artifacts: RunArtifacts,
        *,
        tracker: Tracker | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Create nothing yet.

        Args:
            settings: the run to write.
            clock: gives the start of the run; its phase `tracking` gets the time spent here.
            artifacts: the files that are logged where the run does not finish.
            tracker: where the run is written; default the store that the configuration names.
            announce: called with the run's id as soon as the run is created.
        """
        self._settings, self._clock, self._artifacts = settings, clock, artifacts
        self._given_tracker, self._announce = tracker, announce
        self._is_begun = False
        self.run_id = ""

    def __enter__(self) -> Self:
        """Return the life cycle."""
        return self

    def begin(self, prepared: PreparedRun) -> None:
        """Create the run of a benchmark whose data are valid."""
        self._create(prepared)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters to the run, on the account of the phase `tracking`."""
        with self._clock.phase("tracking"):
            self.tracker.log_params(params)

    def open_journal(self, prepared: PreparedRun) -> None:
        """Let the search resume what an interrupted run of the same question has evaluated."""
        folder = self.tracker.journal_folder
        if folder is not None and prepared.search.uses_folds:
            prepared.search.open(journal_of(prepared, folder))

    def finish(self, shutdown_seconds: float) -> None:
        """Close the run as FINISHED."""
        self.tracker.log_metrics({"shutdown_seconds": shutdown_seconds})
        self.tracker.end(Status.FINISHED)
        self._settings.search.close(finished=True)  # until here an interrupted search can resume

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """Close a run that did not finish, with its reason and the artifacts it has so far."""
        self._settings.search.close(finished=False)  # does nothing after `finish`
        try:
            if isinstance(error, Exception) and not isinstance(error, InputError):
                self._create_failed(error)
        finally:
            if error is not None and self.run_id:
                self._close(error)

    def _create(self, settings: RunSettings) -> None:
        self._is_begun = True
        self.tracker = self._given_tracker or open_tracker(settings.config.tracking)
        with self._clock.phase("tracking"):
            self.run_id = self.tracker.start(make_header(settings, self._clock.start_time))
            if self._announce is not None:
                self._announce(self.run_id)

    def _create_failed(self, error: Exception) -> None:
        """Create the run of a benchmark that failed before its data were known."""
        if self._is_begun:
            return
        try:
            self._create(self._settings)
        except Exception as problem:
            if self.run_id:
                raise
            what = str(error) or type(error).__name__
            msg = f"{what} (No MLflow run could be created to record this: {problem})"
            raise BenchmarkError(msg) from error

    def _close(self, error: BaseException) -> None:
        is_interrupted = not isinstance(error, Exception)
        status = Status.KILLED if is_interrupted else Status.FAILED
        reason = "interrupted" if is_interrupted else str(error) or type(error).__name__
        saved = self._save_artifacts()
        notes = "".join(f" ({note})" for note in self._artifacts.monitor_notes)
        self.tracker.end(status, f"{reason}{saved}{notes}")

    def _save_artifacts(self) -> str:
        """Log the artifacts of a run that did not finish; return an addition to its reason."""
        try:
            self._artifacts.write()
            self.tracker.log_artifacts(self._artifacts.folder)
        except Exception as problem:
            return f" (its artifacts are incomplete: {type(problem).__name__}: {problem})"
        return "".join(f" ({note})" for note in self._artifacts.engine_notes)
