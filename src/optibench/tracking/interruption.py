"""Lets a write to the store come to its end before Ctrl-C is heeded."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextmanager
def finished_first() -> Iterator[None]:
    """Hold Ctrl-C back until the block is over; a second one is heeded at once.

    Whatever handles it otherwise, Python or the handler of a caller (a SparkContext sets one),
    handles it then.

    MLflow rolls back what an error ends, but not what an interruption ends: its transaction stays
    open, the database stays locked, and the run could not be closed as KILLED any more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):
        yield  # ignored, or no business of Python's
        return
    waiting: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        waiting.append(number)
        if len(waiting) > 1:
            previous(number, frame)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if len(waiting) == 1:
        previous(waiting[0], None)
