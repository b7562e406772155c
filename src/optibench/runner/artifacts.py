"""The files that become the artifacts of a run."""

from __future__ import annotations

import cProfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.measure.profiles.profile_files import write_profiles
from optibench.measure.timeline import write_resources
from optibench.redaction import redact
from optibench.report.tables import write_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from optibench.measure.clock.phases import Recorder
    from optibench.records import Trial
    from optibench.runner.settings import RunSettings
    from optibench.runner.workspace import Workspace


class RunArtifacts:
    """Configuration, trials, profiles, resources and logs, in a folder that passes away.

    Attributes:
        copy_logs: fetches those of an engine that keeps them elsewhere.
        calls: what workers have profiled of fits on all of them.
    """

    def __init__(self, settled: RunSettings, clock: Recorder, workspace: Workspace) -> None:
        """Write nothing yet."""
        self._settled, self._clock = settled, clock
        self.folder, self._logs = workspace.folder, workspace.logs
        self._driver = cProfile.Profile() if settled.config.profiling.enabled else None
        self.copy_logs: Callable[[Path], None] | None = None
        self.calls: Sequence[bytes] = ()

    @contextmanager
    def driver_profile(self) -> Iterator[None]:
        """Run cProfile in the driver, where it is on."""
        if self._driver is None:
            yield
            return
        self._driver.enable()
        try:
            yield
        finally:
            self._driver.disable()

    def write(self, trials: Sequence[Trial], profiles: Sequence[bytes]) -> None:
        """Write all of them; `profiles`: what workers have said of trials."""
        import yaml

        folder, settled = self.folder, self._settled
        resolved = redact(dict(settled.config.resolved))
        (folder / "config.yaml").write_text(
            yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)
        )
        write_trials(folder / "trials.csv", trials, settled.metrics)
        if settled.config.profiling.enabled:
            write_profiles(folder / "profile", self._driver, profiles, self.calls)
        write_resources(folder / "resources", self._clock)
        self._write_logs()

    def _write_logs(self) -> None:
        """Without secrets; empty ones go."""
        if self.copy_logs is not None:
            self.copy_logs(self._logs)
        for log in self._logs.iterdir():
            text = log.read_text(encoding="utf-8", errors="replace")
            if text:
                log.write_text(redact(text), encoding="utf-8")
            else:
                log.unlink()
