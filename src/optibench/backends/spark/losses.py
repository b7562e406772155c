"""How Spark tells that a worker was lost."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from optibench.backends.spark.session import answering

if TYPE_CHECKING:
    from optibench.errors import BenchmarkError

HEAR_SECONDS = 5.0
LOST = re.compile(
    "Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure"
    "|Broken pipe|Connection reset"
)


def is_loss(error: BenchmarkError) -> bool:
    """True where a job failed because a worker was lost, and not by an error of what it ran."""
    text = ""
    with answering():  # a JVM that is gone cannot tell it, and has lost more than a worker
        text = str(error.__cause__)
    return LOST.search(text) is not None and "PythonException" not in text


def stages_of(tracker: Any, group: str) -> list[Any]:
    """What Spark says of the stages of a group of jobs that have ended.

    Args:
        tracker: the StatusTracker, which hears of the end of a job a little later than we.
        group: the name of the group.
    """
    deadline = time.monotonic() + HEAR_SECONDS
    jobs = list(tracker.getJobIdsForGroup(group))
    while any(_is_running(tracker.getJobInfo(job)) for job in jobs):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    told = [info for job in jobs if (info := tracker.getJobInfo(job)) is not None]
    stages = {stage for info in told for stage in info.stageIds}
    found = [tracker.getStageInfo(stage) for stage in sorted(stages)]
    return [stage for stage in found if stage is not None]


def _is_running(info: Any) -> bool:
    return info is not None and info.status == "RUNNING"
