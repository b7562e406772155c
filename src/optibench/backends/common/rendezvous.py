"""Where workers that train one XGBoost model together find each other, on any engine."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEAVE_SECONDS = 30.0


@contextmanager
def rendezvous(workers: int, host: str) -> Iterator[Mapping[str, Any]]:
    """Run XGBoost's tracker for `workers` in this process; give what they need to find it.

    It stays until all of them have left. An error inside ends it at once, and releases those that
    wait in vain for one that was lost before it came.
    """
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    def wait_for_the_workers() -> None:
        with suppress(XGBoostError):  # it was ended before the workers had met: they tell
            tracker.wait_for()

    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()
    waiting = Thread(target=wait_for_the_workers, name="xgboost-tracker", daemon=True)
    waiting.start()
    try:
        yield tracker.worker_args()
        waiting.join(LEAVE_SECONDS)
    finally:
        with suppress(XGBoostError):
            tracker.free()
