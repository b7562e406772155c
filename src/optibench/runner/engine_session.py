"""The engine of a run: waited for where it is first needed, its workers monitored from then on."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any, Self

from optibench.errors import InputError
from optibench.runner.worker_monitors import WorkerMonitors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from optibench.backends.common.background_start import BackgroundStart
    from optibench.backends.common.reuse import Running
    from optibench.contracts import Engine
    from optibench.measure.clock.phases import Recorder


class EngineSession:
    """Gives a run its engine, and ends the engine with the run once the run has taken it.

    On exit, run the registered cleanups, stop the monitors, then close the engine.
    """

    def __init__(self, start: BackgroundStart[Running], clock: Recorder) -> None:
        """Keep the start of the engine; do not wait for it yet."""
        self._start, self._clock = start, clock
        self._monitors: WorkerMonitors | None = None
        self._running: Running | None = None
        self._retried_before = 0
        self._stack = ExitStack()
        # Contexts are left in reverse order: monitors, which begin first, end before the engine.
        self._engine = self._stack.enter_context(ExitStack())
        self._cleanups = self._stack.enter_context(ExitStack())

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the engine; an engine that has failed may raise its own error.

        After wrong data a reusable engine, which has only read files, may serve another run. After
        any other error its state is unknown: the session takes it, so that it is closed.
        """
        try:
            is_failure = error is not None and not isinstance(error, InputError)
            if self._monitors is not None and is_failure:
                self.take()
        finally:
            try:
                self._stack.__exit__(kind, error, trace)
            finally:
                if self._monitors is not None and self._running is None:
                    self._monitors.stop()

    def engine(self) -> Engine:
        """Wait for the engine as a part of start-up, monitor its workers, and return it."""
        if self._monitors is None:
            with self._clock.phase("startup"):
                monitors = WorkerMonitors(self._start.wait().engine, self._clock)
                self._monitors = monitors
                self._cleanups.push(monitors)  # before `__enter__`, which Ctrl-C may interrupt
                monitors.__enter__()
        return self._start.wait().engine

    def take(self) -> Engine:
        """Wait for the engine and return it; from now on it ends with the run."""
        self.engine()
        if self._running is None:
            self._engine.enter_context(self._start.taken())
            self._running = self._start.wait()
            self._retried_before = self._running.engine.units_run_again
        return self._running.engine

    def register_cleanup(self, context: AbstractContextManager[object]) -> None:
        """Enter `context`, and leave it before the engine ends."""
        self._cleanups.enter_context(context)

    def close(self) -> None:
        """End the engine of a run that has succeeded."""
        self._stack.close()

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the run: versions of the engine, and whether an earlier run started it."""
        if self._running is None:
            return {}
        engine, is_warm, _ = self._running
        versions = {f"version.{name}": version for name, version in engine.versions().items()}
        return {"engine_warm": is_warm, **versions}

    @property
    def engine_notes(self) -> Sequence[str]:
        """What cannot be measured on this engine, in sentences."""
        return self._running.engine.notes if self._running else ()

    @property
    def monitor_notes(self) -> Sequence[str]:
        """What is measured of remote workers and what is not, in sentences."""
        return self._monitors.notes if self._monitors else ()

    @property
    def units_run_again(self) -> int:
        """Number of units retried after worker loss during this run."""
        if self._running is None:
            return 0
        return self._running.engine.units_run_again - self._retried_before

    def collect_samples(self) -> None:
        """Stop the monitors and give their samples to the clock."""
        if self._monitors is not None:
            self._monitors.collect()

    def copy_logs(self, folder: Path) -> None:
        """Copy new lines of the log files that a reusable engine keeps in its own folder."""
        if self._running is not None and self._running.copy_logs is not None:
            self._running.copy_logs(folder)
