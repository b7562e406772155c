"""Where workers that train one XGBoost model together find each other, on any engine."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def meeting_point(workers: int, host: str) -> Mapping[str, Any]:
    """Start XGBoost's tracker for `workers` in this process; return what they need to find it."""
    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()
    # It ends with the workers; where one was lost, the thread waits until the program ends.
    Thread(target=tracker.wait_for, name="xgboost-tracker", daemon=True).start()
    return tracker.worker_args()
