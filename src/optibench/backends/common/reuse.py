"""Engines that outlive their run (`backend.keep_alive`), for interactive use: one at a time.

The next run with the same settings takes the engine over, its workers up and warm; any other run
closes it first. An engine that an exception has passed through is closed, never kept.
"""

from __future__ import annotations

import atexit
import os
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from optibench.backends.common.background_start import StartAbandoned, checkpoint
from optibench.backends.common.logs import EngineLogs
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from optibench.contracts import Backend, Engine, EngineReuse
    from optibench.records import EngineRequest


class Running(NamedTuple):
    """An engine in the hands of a run.

    Attributes:
        warm: an earlier run has started it.
        copy_logs: appends what it printed in this run's time, and was not copied yet, to the
            files of a folder; None where it prints into the run's own folder.
    """

    engine: Engine
    warm: bool = False
    copy_logs: Callable[[Path], None] | None = None


class ReusableEngine:
    """A started engine with its log files, and with what ends the processes that it may leave.

    Attributes:
        processes: those that were begun in its runs, as the reaper calls them.
        reaping: surrounds its end, and stops what is left of `processes` then.
    """

    engine: Engine
    reuse: EngineReuse
    reaping: Callable[[frozenset[Any]], AbstractContextManager[object]] = nullcontext

    def __init__(self, backend: Backend, request: EngineRequest) -> None:
        """Note what it is; `start` starts it."""
        self.processes: frozenset[Any] = frozenset()
        self.logs = EngineLogs()
        self._settings = (backend, request.workers, request.threads)
        self._driver = os.getpid()
        self._stack = ExitStack()
        self._stack.callback(self.logs.remove)

    def start(self, request: EngineRequest) -> None:
        """Start it, with log files of its own."""
        backend, *_ = self._settings
        own = replace(request, logs=self.logs.folder)
        self.engine = self._stack.enter_context(backend.open(own))
        if self.engine.reuse is None:
            msg = (
                f"backend.keep_alive=true: backend={backend.name} serves one run; set it to false."
            )
            raise EngineError(msg)
        self.reuse = self.engine.reuse

    def fits(self, backend: Backend, request: EngineRequest) -> bool:
        """True where a run with these settings can have it."""
        return self._settings == (backend, request.workers, request.threads)

    def prepare(self, request: EngineRequest) -> None:
        """Make it ready for another run.

        All of its workers, and not only modules that are new: Spark ends a Python worker that was
        idle for a minute, and begins another, which has imported nothing.
        """
        self.logs.skip()
        self.reuse.warm(request.modules)

    def close(self, error: BaseException | None = None) -> None:
        """Stop it; `error` is told to the engine, which may raise it as one of ours."""
        if self._driver != os.getpid():  # a fork of the driver has a copy, but no engine
            return
        trace = error.__traceback__ if error is not None else None
        with self.reaping(self.processes):
            self._stack.__exit__(type(error) if error is not None else None, error, trace)


def open_engine(
    backend: Backend, request: EngineRequest, rehearse: Callable[[Engine], None]
) -> AbstractContextManager[Running]:
    """The engine of a run: taken over where a fitting one is kept, else started when entered.

    A kept one that does not fit is closed here and now.

    Args:
        backend: as configured.
        request: what the run needs.
        rehearse: makes an engine ready; it fails where the engine is broken.
    """
    kept = _Idle.engine
    _Idle.engine = None
    if kept is not None and not kept.fits(backend, request):
        kept.close()
        kept = None
    if backend.keep_alive:
        return _to_be_kept(kept, backend, request, rehearse)
    return _for_one_run(backend, request, rehearse)


def idle_engine() -> ReusableEngine | None:
    """The engine that waits for a run."""
    return _Idle.engine


@atexit.register
def release() -> None:
    """Close the engine that `backend.keep_alive=true` has left up; without one, do nothing.

    The end of the program does so too.
    """
    kept, _Idle.engine = _Idle.engine, None
    if kept is not None:
        kept.close()


def engine_in_preparation() -> ReusableEngine | None:
    """A warm engine that is just made ready for a run: to stop its processes would waste it."""
    return _Idle.preparing


class _Idle:
    engine: ReusableEngine | None = None
    preparing: ReusableEngine | None = None


@contextmanager
def _for_one_run(
    backend: Backend, request: EngineRequest, rehearse: Callable[[Engine], None]
) -> Iterator[Running]:
    with backend.open(request) as engine:
        checkpoint()
        rehearse(engine)
        yield Running(engine)


@contextmanager
def _to_be_kept(
    kept: ReusableEngine | None,
    backend: Backend,
    request: EngineRequest,
    rehearse: Callable[[Engine], None],
) -> Iterator[Running]:
    kept = kept if kept is not None and _is_ready(kept, request, rehearse) else None
    warm = kept is not None
    kept = kept or ReusableEngine(backend, request)
    try:
        if not warm:
            kept.start(request)
            checkpoint()
            rehearse(kept.engine)
        yield Running(kept.engine, warm, kept.logs.copy_new)
    except BaseException as error:
        if warm and isinstance(error, StartAbandoned):  # at most asked about wrong data
            _Idle.engine = kept
            raise
        kept.logs.copy_new(request.logs)
        kept.close(error)
        raise
    release()  # one that another thread has left meanwhile
    if _survives(kept, kept.reuse.forget):
        _Idle.engine = kept


def _is_ready(
    kept: ReusableEngine, request: EngineRequest, rehearse: Callable[[Engine], None]
) -> bool:
    """Make an idle engine ready; one that has broken while it was idle is closed."""

    def make_ready() -> None:
        kept.prepare(request)
        rehearse(kept.engine)

    _Idle.preparing = kept
    try:
        return _survives(kept, make_ready)
    finally:
        _Idle.preparing = None


def _survives(kept: ReusableEngine, step: Callable[[], None]) -> bool:
    """Take a step between two runs; an engine that breaks over it is closed, and no run fails."""
    try:
        step()
    except BaseException as error:
        with suppress(Exception):
            kept.close(error)
        if not isinstance(error, Exception):
            raise
        return False
    return True
