"""The engine of a run: waited for where it is first needed, its workers watched from then on."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Self

from optibench.errors import InputError
from optibench.runner.worker_monitors import WorkerMonitors

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from optibench.backends.common.background_start import BackgroundStart
    from optibench.backends.common.reuse import Running
    from optibench.contracts import Engine
    from optibench.measure.clock.phases import Recorder


class EngineSession:
    """Is up when first asked for, and goes with the run once it is taken.

    Left, it ends what was begun beside it (`register_cleanup`, then the watches), and then itself.
    """

    def __init__(
        self,
        start: BackgroundStart[Running],
        clock: Recorder,
        on_workers: Callable[[WorkerMonitors], None],
    ) -> None:
        """Wait for nothing yet; `on_workers` hears of those beside which watches are to begin."""
        self._start, self._clock, self._on_workers = start, clock, on_workers
        self._is_up = self._is_taken = False
        self._stack = ExitStack()
        # Left last to first, whatever was entered when: watches begin before the engine is taken.
        self._engine = self._stack.enter_context(ExitStack())
        self._beside = self._stack.enter_context(ExitStack())

    def __enter__(self) -> Self:
        """Nothing to wait for."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; one that has failed tells so in its own words.

        One that has only looked through wrong data is as good as before: it is not taken for
        them, and may be kept for another run. After any other error nobody knows what it is at.
        """
        try:
            if self._is_up and error is not None and not isinstance(error, InputError):
                self.take()
        finally:
            try:
                self._stack.__exit__(kind, error, trace)
            finally:
                if self._is_up and not self._is_taken:
                    self._workers.stop()

    def up(self) -> Engine:
        """Wait for it, on start-up's account, and watch its workers."""
        if not self._is_up:
            with self._clock.phase("startup"):
                engine = self._start.wait().engine
                self._workers = WorkerMonitors(engine, self._clock)
                self._on_workers(self._workers)
                self._is_up = True
                self._beside.push(self._workers)  # which is left also if Ctrl-C comes now
                self._workers.__enter__()
        return self._start.wait().engine

    def take(self) -> Running:
        """Wait for it; from now on it ends with the run."""
        self.up()
        if not self._is_taken:
            self._engine.enter_context(self._start.taken())
            self._is_taken = True
        return self._start.wait()

    def register_cleanup(self, context: AbstractContextManager[object]) -> None:
        """Enter what is to end before the engine does."""
        self._beside.enter_context(context)

    def close(self) -> None:
        """At the end of a run that went well."""
        self._stack.close()
