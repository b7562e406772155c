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


def attempts_of(context: Any, group: str) -> list[list[Any]]:
    """What Spark says of the stages of a group of jobs that have ended: of each, every attempt.

    A stage whose output went with an executor is attempted again, with what is missing of it.

    Args:
        context: the SparkContext, whose status hears of the end of a job a little later than we.
        group: the name of the group.

    Returns:
        Spark's `StageData`.
    """
    tracker = context.statusTracker()
    deadline = time.monotonic() + HEAR_SECONDS
    jobs = list(tracker.getJobIdsForGroup(group))
    while any(_is_running(tracker.getJobInfo(job)) for job in jobs):
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    told = [info for job in jobs if (info := tracker.getJobInfo(job)) is not None]
    stages = {stage for info in told for stage in info.stageIds}
    java, store = context._jvm, context._jsc.sc().statusStore()
    details = summaries = False
    asked = (details, java.java.util.ArrayList(), summaries)
    no_quantiles = context._gateway.new_array(java.double, 0)
    found = [store.stageData(stage, *asked, no_quantiles) for stage in sorted(stages)]
    return [[stage.apply(number) for number in range(stage.size())] for stage in found]


def _is_running(info: Any) -> bool:
    return info is not None and info.status == "RUNNING"
