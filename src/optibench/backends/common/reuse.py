"""Engines that outlive their run (`backend.keep_alive`), for interactive use: one at a time.

The next run with the same settings takes the engine over, with its workers up and warm; any other
run closes it first. An engine is not kept after an exception.
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
    """An engine that serves a run.

    Attributes:
        warm: an earlier run started it.
        copy_logs: appends what the engine printed during this run, and was not copied yet, to the
            files of a folder; None if the engine prints into the run's own folder.
    """

    engine: Engine
    warm: bool = False
    copy_logs: Callable[[Path], None] | None = None


class ReusableEngine:
    """A started engine, its log files, and the processes to stop with it.

    Attributes:
        processes: the processes started during its runs, as the reaper identifies them.
        reaping: a context around the engine's end that stops the remaining `processes`.
    """

    engine: Engine
    reuse: EngineReuse
    reaping: Callable[[frozenset[Any]], AbstractContextManager[object]] = nullcontext

    def __init__(self, backend: Backend, request: EngineRequest) -> None:
        """Record the settings; `start` starts the engine."""
        self.processes: frozenset[Any] = frozenset()
        self.logs = EngineLogs()
        self._settings = (backend, request.workers, request.threads)
        self._driver = os.getpid()
        self._stack = ExitStack()
        self._stack.callback(self.logs.remove)

    def start(self, request: EngineRequest) -> None:
        """Start the engine with log files of its own.

        Raises:
            EngineError: this engine cannot serve several runs.
        """
        backend, *_ = self._settings
        request_with_logs = replace(request, logs=self.logs.folder)
        self.engine = self._stack.enter_context(backend.open(request_with_logs))
        if self.engine.reuse is None:
            msg = (
                f"backend.keep_alive=true: backend={backend.name} serves one run; set it to false."
            )
            raise EngineError(msg)
        self.reuse = self.engine.reuse

    def fits(self, backend: Backend, request: EngineRequest) -> bool:
        """Return True if a run with these settings can take the engine over."""
        return self._settings == (backend, request.workers, request.threads)

    def prepare(self, request: EngineRequest) -> None:
        """Make the engine ready for another run.

        The modules are imported on all workers, even if none is new: Spark ends a Python worker
        that was idle for a minute and starts another, which has imported nothing.
        """
        self.logs.skip()
        self.reuse.warm(request.modules)

    def close(self, error: BaseException | None = None) -> None:
        """Stop the engine; it gets `error` and may raise it as an `EngineError`."""
        if self._driver != os.getpid():  # a fork of the driver has this object but no engine
            return
        trace = error.__traceback__ if error is not None else None
        with self.reaping(self.processes):
            self._stack.__exit__(type(error) if error is not None else None, error, trace)


def open_engine(
    backend: Backend, request: EngineRequest, rehearse: Callable[[Engine], None]
) -> AbstractContextManager[Running]:
    """Return the engine of a run: a kept engine that fits, else one that is started when entered.

    A kept engine that does not fit is closed at once.

    Args:
        backend: the backend as configured.
        request: what the run needs.
        rehearse: makes an engine ready; it fails if the engine is broken.
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
    """Return the engine that waits for a run."""
    return _Idle.engine


@atexit.register
def release() -> None:
    """Close the engine that `backend.keep_alive=true` has kept, if there is one.

    Also called when the program exits.
    """
    kept, _Idle.engine = _Idle.engine, None
    if kept is not None:
        kept.close()


def engine_in_preparation() -> ReusableEngine | None:
    """Return the warm engine that is being prepared for a run; its processes must go on."""
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
        if warm and isinstance(error, StartAbandoned):  # intact: it surveyed wrong data at most
            _Idle.engine = kept
            raise
        kept.logs.copy_new(request.logs)
        kept.close(error)
        raise
    release()  # an engine that another thread has kept meanwhile
    if _runs_or_closes(kept, kept.reuse.forget):
        _Idle.engine = kept


def _is_ready(
    kept: ReusableEngine, request: EngineRequest, rehearse: Callable[[Engine], None]
) -> bool:
    """Prepare an idle engine; close it if it broke while it was idle."""

    def make_ready() -> None:
        kept.prepare(request)
        rehearse(kept.engine)

    _Idle.preparing = kept
    try:
        return _runs_or_closes(kept, make_ready)
    finally:
        _Idle.preparing = None


def _runs_or_closes(kept: ReusableEngine, step: Callable[[], None]) -> bool:
    """Run a step between two runs; if it fails, close the engine without failing the run."""
    try:
        step()
    except BaseException as error:
        with suppress(Exception):
            kept.close(error)
        if not isinstance(error, Exception):
            raise
        return False
    return True
