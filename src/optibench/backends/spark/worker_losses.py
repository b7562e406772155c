"""How Spark reports that a worker was lost."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from optibench.backends.spark import jvm
from optibench.backends.spark.session import ignoring_lost_jvm

if TYPE_CHECKING:
    from pyspark import SparkContext, SparkJobInfo

    from optibench.backends.spark.jvm import StageAttempt
    from optibench.errors import BenchmarkError

NOTICE_SECONDS = 5.0  # until the status store knows that a job has ended
LOST = re.compile(
    "Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure"
    "|Broken pipe|Connection reset"
)


def is_loss(error: BenchmarkError) -> bool:
    """Return True if a job failed because of a lost worker, not by an error of what it ran."""
    text = ""
    with ignoring_lost_jvm():  # a lost JVM has no message, and it is more than a worker
        text = str(error.__cause__)
    return LOST.search(text) is not None and "PythonException" not in text


def stage_attempts(context: SparkContext, group: str) -> list[list[StageAttempt]]:
    """Return every attempt of each stage of a group of jobs that have ended.

    A stage whose output was lost with an executor is attempted again for the missing output.

    Args:
        context: the SparkContext, whose status learns of the end of a job with a delay.
        group: the name of the group.
    """
    tracker = context.statusTracker()
    deadline = time.monotonic() + NOTICE_SECONDS
    jobs = list(tracker.getJobIdsForGroup(group))
    while any(_is_running(tracker.getJobInfo(job)) for job in jobs):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    infos = [info for job in jobs if (info := tracker.getJobInfo(job)) is not None]
    stages = {stage for info in infos for stage in info.stageIds}
    return jvm.stage_attempts(context, sorted(stages))


def _is_running(info: SparkJobInfo | None) -> bool:
    return info is not None and info.status == "RUNNING"
