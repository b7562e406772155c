"""Starts an engine so that Ctrl-C reaches the driver alone."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@contextmanager
def shielded(context: AbstractContextManager[T]) -> Iterator[T]:
    """Enter `context` in a thread that has SIGINT blocked, and leave it in this one.

    A terminal sends Ctrl-C to every process of the foreground group. Child processes inherit the
    signal mask of the thread that starts them, so workers, nannies and the JVM never see it, while
    the driver's main thread, which only waits, is interrupted at once. What a start that was
    interrupted leaves behind is the reaper's.
    """
    entered: Future[T] = Future()

    def enter() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            entered.set_result(context.__enter__())
        except BaseException as error:
            entered.set_exception(error)

    threading.Thread(target=enter, name="engine-start", daemon=True).start()
    value = entered.result()
    try:
        yield value
    except BaseException as error:
        if not context.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        context.__exit__(None, None, None)
