"""How Spark tells that a worker was lost."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optibench.errors import EngineError

HEAR_SECONDS = 5.0
LOST = re.compile(
    "Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure"
    "|Broken pipe|Connection reset"
)


def is_loss(error: EngineError) -> bool:
    """True where a job failed because a worker was lost, and not by an error of what it ran."""
    text = str(error.__cause__)
    return LOST.search(text) is not None and "PythonException" not in text


def failed_tasks(tracker: Any, group: str) -> int:
    """How many tasks of a group of jobs failed, those that Spark tried again with success.

    Args:
        tracker: the StatusTracker, which hears of the end of a job a little later than we.
        group: of jobs that have ended.
    """
    deadline = time.monotonic() + HEAR_SECONDS
    jobs = list(tracker.getJobIdsForGroup(group))
    while any(_is_running(tracker.getJobInfo(job)) for job in jobs):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    told = [info for job in jobs if (info := tracker.getJobInfo(job)) is not None]
    stages = [tracker.getStageInfo(stage) for info in told for stage in info.stageIds]
    return sum(stage.numFailedTasks for stage in stages if stage is not None)


def _is_running(info: Any) -> bool:
    return info is not None and info.status == "RUNNING"
