"""A running Spark session as an engine: a broadcast, and one job of one task for each batch."""

from __future__ import annotations

import importlib
import itertools
import math
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from optibench.backends.common import compatibility, memory_mapping, worker_process
from optibench.backends.common.retry_counter import RetryCounter, units_in
from optibench.backends.spark import jvm
from optibench.backends.spark.broadcast_value import BroadcastValue
from optibench.backends.spark.code_shipping import ship_code
from optibench.backends.spark.executor import executor
from optibench.backends.spark.session import ignoring_lost_jvm, translated
from optibench.backends.spark.worker_losses import stage_attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pyspark import Broadcast, SparkContext

    from optibench.backends.common.memory_mapping import MemoryMappedFiles
    from optibench.contracts import (
        DataParallelTraining,
        EngineReuse,
        EngineTaskMetrics,
        RemoteWorkers,
        SharedValue,
        Trainer,
        TrainerRequest,
        WorkerTask,
    )
    from optibench.records import EngineRequest

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")


class Jobs(NamedTuple):
    """What happened in jobs that have ended.

    Attributes:
        was_lost: tasks have failed or output was lost, and Spark has retried with success.
        executor_cpu_seconds: CPU time of Java threads on other machines.
    """

    was_lost: bool
    executor_cpu_seconds: float


class SparkEngine:
    """A running session. One thread of the driver waits for each job in flight."""

    overhead_seconds = 0.08  # 50 ms of CPU in the JVM, and 30 ms between two tasks of a worker
    notes: tuple[str, ...] = ()
    root_name = "executor, its JVM and Python workers"
    unmeasured_processes = "the master and the processes that start executors"
    workers_outlive_run = False
    before_batch: Callable[[], object] | None = None
    memory_limit = 0  # backend.memory_limit in bytes; 0: what Spark gives a worker

    def __init__(
        self,
        context: SparkContext,
        request: EngineRequest,
        files: MemoryMappedFiles | None,
        persist: str = "MEMORY_AND_DISK",
    ) -> None:
        """Run at most `request.workers` tasks at a time on `context`.

        Args:
            context: a SparkContext.
            request: the number of workers and their memory.
            files: for shared data if the workers are on this machine; None: broadcast.
            persist: the storage level of tables for fits on all workers.
        """
        self.context = context
        self._files = files
        self.persist = persist
        self._one_row = context.parallelize([0], 1)
        self._waiters = ThreadPoolExecutor(2 * request.workers, thread_name_prefix="spark-job")
        self._broadcasts: list[Broadcast[Any]] = []
        self._groups = itertools.count()
        self.retries = RetryCounter()
        self.slots = request.workers
        self._memory_bytes = request.memory_bytes
        self._code = tempfile.TemporaryDirectory(prefix="optibench-code-")
        self.clock_offsets: Mapping[str, float] = {}

    @property
    def reuse(self) -> EngineReuse:
        """This engine itself."""
        return self

    @property
    def remote(self) -> RemoteWorkers | None:
        """This engine itself if it uses a given master."""
        return self if self._files is None else None

    @property
    def data_parallel(self) -> DataParallelTraining:
        """This engine itself."""
        return self

    @property
    def worker_root(self) -> Callable[[], int]:
        """A function that finds the executor's JVM."""
        return executor

    @property
    def units_run_again(self) -> int:
        """Units of lost batches, and fits on all workers that were retried."""
        return self.retries.count

    def __enter__(self) -> SparkEngine:
        """Return the engine; the session runs already."""
        return self

    def __exit__(self, *exception: object) -> None:
        """After an error cancel the jobs in flight; then stop waiting for jobs."""
        if any(exception):
            with ignoring_lost_jvm():  # a lost JVM has no jobs any more
                self.context.cancelAllJobs()
        self._waiters.shutdown(wait=True, cancel_futures=True)
        self._code.cleanup()

    def begin(self, request: EngineRequest) -> None:
        """Prepare the workers; compare the clocks of remote ones."""
        self.warm(request.modules)
        if self._files is None:
            before = time.time()
            infos = self.run_on_all_workers(compatibility.describe, ())
            self.clock_offsets = compatibility.clock_offsets(infos, before, time.time())
            self.notes += compatibility.clock_notes(self.clock_offsets)

    def warm(self, modules: Sequence[str]) -> None:
        """Start missing Python workers, and import `modules` on all of them.

        Remote workers get their code first.
        """
        if self._files is None:
            ship_code(self.context, modules, Path(self._code.name))
            names = compatibility.compared_packages(modules)
            compatibility.check_versions(
                self.run_on_all_workers(compatibility.describe, names), names
            )
        self.run_on_all_workers(worker_process.load, tuple(modules))

    def share(self, value: V) -> SharedValue[V]:
        """Map `value` from one file, or broadcast it to a cluster."""
        if self._files is not None:
            return self._files.write(value)
        broadcast: Broadcast[V] = self.context.broadcast(value)
        self._broadcasts.append(broadcast)
        return BroadcastValue(broadcast)

    def forget(self) -> None:
        """Remove the shared files or broadcasts, and have the workers drop them."""
        if self._files is not None:
            self._files.clear()
            self.run_on_all_workers(memory_mapping.release_mapped)
        while self._broadcasts:
            self._broadcasts.pop().unpersist()

    def run_on_all_workers(self, function: Callable[..., R], *arguments: object) -> list[R]:
        """Call a function in every worker and return the results.

        There are as many tasks as slots, and each waits until all have started: on this machine by
        files in a folder, on a cluster as Spark's barrier tasks.
        """
        slots, is_remote = self.slots, self._files is None
        with tempfile.TemporaryDirectory(prefix="optibench-rendezvous-") as folder:

            def call(rows: Iterable[object]) -> list[R]:
                list(rows)
                result = function(*arguments)
                wait_for_other_tasks() if is_remote else worker_process.wait_for_workers(
                    folder, slots
                )
                return [result]

            rows = self.context.parallelize(range(slots), slots)
            tasks = rows.barrier() if is_remote else rows
            return list(tasks.mapPartitions(call).collect())

    def submit(self, task: WorkerTask[V, B, R], shared: SharedValue[V], batch: B) -> Future[R]:
        """Run one batch as a job of one task, which Spark retries if its worker is lost."""
        is_file = self._files is not None
        settings = compatibility.RemoteBatchSettings(self.clock_offsets, self.before_batch)

        def run(rows: Iterable[object]) -> list[tuple[R, int]]:
            from pyspark import TaskContext

            list(rows)  # Spark does not reuse a worker that leaves input unread
            context: Any = TaskContext.get()
            if is_file:
                return [
                    (memory_mapping.run_on_mapped(task, shared, batch), context.attemptNumber())
                ]
            outcome = compatibility.run_remote_batch(task, shared.view(), batch, settings)
            return [(outcome, context.attemptNumber())]

        return self._waiters.submit(self._collect, run, units_in(batch))

    def _collect(self, run: Callable[[Iterable[object]], list[tuple[R, int]]], units: int) -> R:
        outcome: R
        with translated("A Spark job failed"):
            outcome, attempt = self._one_row.mapPartitions(run).collect()[0]
        self.retries.add(attempt * units)
        return outcome

    def trainer(self, request: TrainerRequest) -> Trainer:
        """Make the trainer of the requested model."""
        trainers = importlib.import_module(f"optibench.backends.spark.{request.model.name}")
        make: Callable[[SparkEngine, TrainerRequest], Trainer] = trainers.TRAINER
        return make(self, request)

    def task_metrics(self) -> EngineTaskMetrics:
        """Record metrics from the event log."""
        from optibench.backends.spark.task_metrics import SparkTaskMetrics

        return SparkTaskMetrics(self.context)

    @property
    def worker_memory_bytes(self) -> int:
        """`memory_limit`, or a slot's share of the memory for Python in an executor.

        On this machine that is a share of all memory. If Spark does not limit Python elsewhere, it
        is assumed to have as much as the JVM.
        """
        if self.memory_limit:
            return self.memory_limit
        conf, local = self.context.getConf(), (self.context.master or "").startswith("local")
        heap = f"{self._memory_bytes}b" if local else conf.get("spark.executor.memory", "1g")
        given = conf.get("spark.executor.pyspark.memory", heap)
        # Each executor has as many slots as cores, which only its master knows.
        executors = 1 if local else max(1, jvm.executor_count(self.context))
        return jvm.bytes_of_size(self.context, given) // math.ceil(self.slots / executors)

    @contextmanager
    def observed_jobs(self, what: str) -> Iterator[Callable[[], Jobs]]:
        """Run jobs inside; afterwards the yielded function returns what happened in them.

        `what`: their description in Spark's status and event log.
        """
        group = f"optibench-{next(self._groups)}"
        self.context.setJobGroup(group, what)
        yield lambda: self._jobs(group)

    def _jobs(self, group: str) -> Jobs:
        """Return the result of a group of jobs; local tasks run in the driver's JVM."""
        stages = stage_attempts(self.context, group)
        attempts = [attempt for stage in stages for attempt in stage]
        was_lost = any(len(stage) > 1 for stage in stages)
        was_lost = was_lost or any(attempt.failed_tasks for attempt in attempts)
        if self._files is not None:
            return Jobs(was_lost, 0.0)
        return Jobs(was_lost, sum(attempt.executor_cpu_seconds for attempt in attempts))

    def versions(self) -> Mapping[str, str]:
        """Return the versions of Spark and of its Java."""
        return {"pyspark": str(self.context.version), "java": jvm.java_version(self.context)}


def wait_for_other_tasks() -> None:
    """Wait, in a barrier task, for the other tasks of its stage."""
    from pyspark import BarrierTaskContext

    BarrierTaskContext.get().barrier()
