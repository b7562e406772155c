"""Start an engine in the background, so that Ctrl-C reaches the driver alone."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

PATIENCE_SECONDS = 0.5  # time for an abandoned start to end by itself
GIVE_UP_SECONDS = 30.0


class StartAbandoned(Exception):  # noqa: N818 - not an error: the engine is not needed any more
    """The run of an engine that is being started has ended, by wrong data or by Ctrl-C."""


@contextmanager
def starting(
    context: AbstractContextManager[T], stop: Callable[[], object]
) -> Iterator[BackgroundStart[T]]:
    """Begin to enter `context` in the background; at the end, undo the start if nobody took it.

    `stop` ends the processes of a start in progress, so that the start fails soon.
    """
    start = BackgroundStart(context)
    try:
        yield start
    finally:
        start.abandon(stop)


def checkpoint() -> None:
    """End an abandoned start; an engine calls this between the steps of its start.

    Raises:
        StartAbandoned: the run does not need the engine any more.
    """
    start = getattr(_current, "start", None)
    if start is not None and start.is_abandoned:
        raise StartAbandoned


class BackgroundStart(Generic[T]):
    """A context that is entered in a thread which has SIGINT blocked.

    A terminal sends Ctrl-C to every process of the foreground group. Child processes inherit the
    signal mask of the thread that starts them, so workers, nannies and the JVM never see it, while
    the driver's main thread is interrupted at once.
    """

    def __init__(self, context: AbstractContextManager[T]) -> None:
        """Start the thread."""
        self._context = context
        self._entered: Future[T] = Future()
        self._lock = threading.Lock()
        self._is_taken = False
        self.is_abandoned = False
        self._thread = threading.Thread(target=self._enter, name="engine-start", daemon=True)
        self._thread.start()

    def wait(self) -> T:
        """Wait for the engine and return it; unless `taken` is entered, `abandon` closes it."""
        return self._entered.result()

    @contextmanager
    def taken(self) -> Iterator[T]:
        """Wait for the engine, raising errors of its start, and close it on exit."""
        value = self.wait()
        self._is_taken = True
        try:
            yield value
        except BaseException as error:
            if not self._context.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            self._context.__exit__(None, None, None)

    def abandon(self, stop: Callable[[], object]) -> None:
        """Close an engine that was started and not taken; make a start in progress fail."""
        if self._is_taken:
            return
        with self._lock:
            self.is_abandoned = True
            is_up = self._entered.done() and self._entered.exception() is None
        if is_up:
            self._close()
        self._thread.join(PATIENCE_SECONDS)
        deadline_seconds = time.monotonic() + GIVE_UP_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline_seconds:
            stop()
            self._thread.join(0.1)

    def _enter(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        _current.start = self
        try:
            value = self._context.__enter__()
        except BaseException as error:
            self._entered.set_exception(error)
            return
        with self._lock:
            if not self.is_abandoned:
                self._entered.set_result(value)
                return
        self._close()

    def _close(self) -> None:
        error = StartAbandoned()
        with suppress(Exception):  # the run reports its own error
            self._context.__exit__(StartAbandoned, error, None)


_current = threading.local()  # `start`: the start that runs in this thread
