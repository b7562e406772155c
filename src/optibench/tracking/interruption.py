"""Delays Ctrl-C until a write to the store is complete."""

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
    """Delay Ctrl-C until the block ends; handle a second Ctrl-C at once.

    The delayed signal goes to the handler that was installed before: Python's, or that of a caller
    (a SparkContext installs one).

    MLflow rolls a transaction back on an error, but not on a KeyboardInterrupt: the transaction
    would stay open and the database locked, so that the run could not be closed as KILLED.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):
        yield  # the signal is ignored, or not handled by Python
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
