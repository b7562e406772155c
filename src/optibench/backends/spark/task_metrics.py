"""What Spark's event log records about the tasks of a run (profile/engine.json)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.backends.common.task_metrics import TaskMetricsSums
from optibench.backends.spark import event_log, jvm
from optibench.backends.spark.session import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark import SparkContext

NOTES = (
    "cpu_seconds is the CPU time of the executors' Java threads that run tasks: it excludes "
    "Python workers, garbage collection, compilation and the driver. run_seconds includes the "
    "time that a task waits for its Python worker.",
    "scheduler_delay_seconds is the remaining time of a task, as in Spark's web interface: "
    "duration - run - deserialise - serialise - getting the result.",
)


class SparkTaskMetrics:
    """Implements `contracts.EngineTaskMetrics`.

    A session serves one run at a time, and numbers its jobs: jobs from one number on belong to
    this run, and to the phase that began there.
    """

    def __init__(self, context: SparkContext) -> None:
        """Count jobs from now on."""
        self._context = context
        self._first_job = self._next_job()
        self._phases: list[tuple[int, str]] = []

    def begin(self, phase: str) -> None:
        """Assign the next jobs to a phase."""
        self._phases.append((self._next_job(), phase))

    def read(self) -> Mapping[str, object]:
        """Sum up the tasks of the event log."""
        sums = TaskMetricsSums()
        log = event_log.EventLog(self._first_job)
        with translated("Spark's event log could not be read"):
            paths = event_log.files(self._context)
        for stage, event in log.tasks(event_log.lines_of(paths)):
            sums.add(self._phase_of(stage.job), stage.name, amounts_of(event))
        return {
            "engine": "spark",
            "version": str(self._context.version),
            "source": "tasks in Spark's event log",
            "notes": list(NOTES),
            **sums.summary(),
        }

    def _next_job(self) -> int:
        with translated("Spark's driver was lost"):
            return jvm.next_job_id(self._context)

    def _phase_of(self, job: int) -> str:
        started = [phase for first, phase in self._phases if first <= job]
        return started[-1] if started else "before"


def amounts_of(event: Mapping[str, Any]) -> dict[str, float]:
    """Return the amounts of one `SparkListenerTaskEnd`; a failed task may have no metrics.

    The scheduler's delay is computed as in Spark's `AppStatusUtils.schedulerDelay`.
    """
    info, metrics = event["Task Info"], event.get("Task Metrics") or {}
    read, write = (metrics.get(f"Shuffle {kind} Metrics", {}) for kind in ("Read", "Write"))
    amounts = {
        "tasks": 1,
        "failed_tasks": int(info["Failed"] or info["Killed"]),
        "run_seconds": _ms(metrics, "Executor Run Time"),
        "cpu_seconds": _ns(metrics, "Executor CPU Time"),
        "gc_seconds": _ms(metrics, "JVM GC Time"),
        "deserialise_seconds": _ms(metrics, "Executor Deserialize Time"),
        "deserialise_cpu_seconds": _ns(metrics, "Executor Deserialize CPU Time"),
        "serialise_result_seconds": _ms(metrics, "Result Serialization Time"),
        "get_result_seconds": 0.0,
        "shuffle_fetch_wait_seconds": _ms(read, "Fetch Wait Time"),
        "shuffle_write_seconds": _ns(write, "Shuffle Write Time"),
        "shuffle_read_bytes": read.get("Remote Bytes Read", 0) + read.get("Local Bytes Read", 0),
        "shuffle_written_bytes": write.get("Shuffle Bytes Written", 0),
        "memory_spilled_bytes": metrics.get("Memory Bytes Spilled", 0),
        "disk_spilled_bytes": metrics.get("Disk Bytes Spilled", 0),
        "input_bytes": metrics.get("Input Metrics", {}).get("Bytes Read", 0),
        "result_bytes": metrics.get("Result Size", 0),
    }
    begin, end = info["Launch Time"], info["Finish Time"]
    if info["Getting Result Time"] > 0:
        amounts["get_result_seconds"] = (end - info["Getting Result Time"]) / 1e3
    parts = ("run", "deserialise", "serialise_result", "get_result")
    delay = (end - begin) / 1e3 - sum(amounts[f"{part}_seconds"] for part in parts)
    return {**amounts, "scheduler_delay_seconds": max(0.0, delay) if metrics else 0.0}


def _ms(metrics: Mapping[str, Any], name: str) -> float:
    return float(metrics.get(name, 0)) / 1e3


def _ns(metrics: Mapping[str, Any], name: str) -> float:
    return float(metrics.get(name, 0)) / 1e9
