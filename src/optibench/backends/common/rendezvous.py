"""The meeting point of workers that train one XGBoost model together, on any engine."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEAVE_SECONDS = 30.0  # time for the workers to disconnect


@contextmanager
def rendezvous(workers: int, host: str) -> Iterator[Mapping[str, Any]]:
    """Run XGBoost's tracker for `workers` in this process; yield the arguments to connect to it.

    The tracker runs until all workers have left. An error inside the block ends it at once, which
    releases workers that wait for one that was lost before it connected.
    """
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    def wait_for_workers() -> None:
        with suppress(XGBoostError):  # ended before the workers met; they report why
            tracker.wait_for()

    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()
    waiting = Thread(target=wait_for_workers, name="xgboost-tracker", daemon=True)
    waiting.start()
    try:
        yield tracker.worker_args()
        waiting.join(LEAVE_SECONDS)
    finally:
        with suppress(XGBoostError):
            tracker.free()
