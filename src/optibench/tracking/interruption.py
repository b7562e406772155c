"""Lets a write to the store come to its end before Ctrl-C is heeded."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def finished_first() -> Iterator[None]:
    """Hold Ctrl-C back until the block is over; a second one is heeded at once.

    MLflow rolls back what an error ends, but not what an interruption ends: its transaction stays
    open, the database stays locked, and the run could not be closed as KILLED any more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:
        yield  # ignored, or the caller's own business
        return
    waiting: list[int] = []

    def hold(number: int, _frame: object) -> None:
        if waiting:
            raise KeyboardInterrupt
        waiting.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if waiting:
        raise KeyboardInterrupt
