"""The files that become the artifacts of a run."""

from __future__ import annotations

import cProfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.measure.profiles.engine_metrics import EngineMetricsFile
from optibench.measure.profiles.profile_files import write_profiles
from optibench.measure.timeline import write_resources
from optibench.redaction import redact
from optibench.report.tables import write_trials

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from optibench.contracts import EngineTaskMetrics
    from optibench.measure.clock.phases import Recorder
    from optibench.runner.engine_session import EngineSession
    from optibench.runner.search_phase import SearchPhase
    from optibench.runner.settings import RunSettings
    from optibench.runner.workspace import Workspace


class RunArtifacts:
    """Writes configuration, trials, profiles, resources and logs into the folder of the run.

    Attributes:
        folder: folder of the run, which is removed at its end.
        worker_calls: profiles of data-parallel fits, one for each worker, as `Strategy.profiles`.
    """

    def __init__(
        self,
        settings: RunSettings,
        clock: Recorder,
        workspace: Workspace,
        session: EngineSession,
        search: SearchPhase,
    ) -> None:
        """Write nothing yet."""
        self._settings, self._clock = settings, clock
        self._session, self._search = session, search
        self.folder, self._logs = workspace.folder, workspace.logs
        self._driver = cProfile.Profile() if settings.config.profiling.enabled else None
        self._engine_metrics = EngineMetricsFile(None, self.folder / "profile")
        self.worker_calls: Sequence[bytes] = ()

    @contextmanager
    def driver_profile(self) -> Iterator[None]:
        """Run the block under cProfile, where profiling is on."""
        if self._driver is None:
            yield
            return
        self._driver.enable()
        try:
            yield
        finally:
            self._driver.disable()

    def engine_metrics(self, metrics: EngineTaskMetrics | None) -> AbstractContextManager[None]:
        """Write profile/engine.json from `metrics`, at the latest where an error leaves the block.

        The engine must still run when its metrics are read.
        """
        self._engine_metrics = EngineMetricsFile(metrics, self.folder / "profile")
        return self._engine_metrics.written_on_error()

    def write_engine_metrics(self) -> None:
        """Write profile/engine.json now, while the engine still runs."""
        self._engine_metrics.write()

    @property
    def engine_notes(self) -> Sequence[str]:
        """Why profile/engine.json could not be written, in sentences; else empty."""
        return self._engine_metrics.notes

    @property
    def monitor_notes(self) -> Sequence[str]:
        """What is measured of remote workers and what is not, in sentences."""
        return self._session.monitor_notes

    def write(self) -> None:
        """Write all files; of a run that did not finish, those of the finished trials."""
        import yaml

        folder, settings = self.folder, self._settings
        resolved = redact(dict(settings.config.resolved))
        (folder / "config.yaml").write_text(
            yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)
        )
        write_trials(folder / "trials.csv", self._search.trials, settings.metrics)
        if settings.config.profiling.enabled:
            profiles = self._search.profiles
            write_profiles(folder / "profile", self._driver, profiles, self.worker_calls)
        write_resources(folder / "resources", self._clock)
        self._write_logs()

    def _write_logs(self) -> None:
        """Remove secrets from the log files, and empty log files."""
        self._session.copy_logs(self._logs)
        for log in self._logs.iterdir():
            text = log.read_text(encoding="utf-8", errors="replace")
            if text:
                log.write_text(redact(text), encoding="utf-8")
            else:
                log.unlink()
