"""The engine of a run: waited for where it is first needed, its workers watched from then on."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Self

from optibench.errors import InputError
from optibench.remote_workers import RemoteWorkers

if TYPE_CHECKING:
    from types import TracebackType

    from optibench.backends.kept import Running
    from optibench.backends.shield import EngineStart
    from optibench.contracts import Engine
    from optibench.measure.phases import Recorder


class EngineOfRun:
    """Is up when first asked for, and goes with the run once it is taken.

    Attributes:
        workers: those that are elsewhere, with the watches beside them.
    """

    workers: RemoteWorkers

    def __init__(self, start: EngineStart[Running], clock: Recorder) -> None:
        """Wait for nothing yet."""
        self._start, self._clock = start, clock
        self._is_up = self._is_taken = False
        self._stack = ExitStack()
        # What was begun beside the engine ends before it, also where it began before it was taken.
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

        One that has only looked through wrong data is as good as before, and is not taken for it.
        """
        is_own = isinstance(error, Exception) and not isinstance(error, InputError)
        if is_own and self._is_up:
            self.take()
        self._stack.__exit__(kind, error, trace)

    def up(self) -> Engine:
        """Wait for it, on start-up's account, and watch its workers."""
        if not self._is_up:
            with self._clock.phase("startup"):
                engine = self._start.wait().engine
                self.workers = RemoteWorkers(engine, self._clock)
                self._beside.enter_context(self.workers)
            self._is_up = True
        return self._start.wait().engine

    def take(self) -> Running:
        """Wait for it; from now on it ends with the run."""
        self.up()
        if not self._is_taken:
            self._engine.enter_context(self._start.taken())
            self._is_taken = True
        return self._start.wait()

    def beside(self, context: AbstractContextManager[object]) -> None:
        """Enter what is to end before the engine does."""
        self._beside.enter_context(context)

    def close(self) -> None:
        """At the end of a run that went well."""
        self._stack.close()
