"""joblib's loky workers: processes that map one file with the shared data."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from optibench.backends.common import memory_mapping, worker_process
from optibench.backends.common.background_start import checkpoint
from optibench.backends.common.memory_mapping import MemoryMappedFiles
from optibench.backends.common.retry_counter import RetryCounter, units_in
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from optibench.backends.sklearn.loky import Executor
    from optibench.backends.sklearn.pool import Call
    from optibench.contracts import EngineReuse, SharedValue, WorkerTask
    from optibench.records import EngineRequest

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")


@dataclass(frozen=True)
class SklearnBackend:
    """The engine as configured (conf/backend/sklearn.yaml)."""

    name: str = "sklearn"
    workers: int | None = None
    threads_per_trial: int = 1
    parallelism: str = "trials"
    keep_alive: bool = False
    location: ClassVar[None] = None
    persist: ClassVar[None] = None

    @property
    def is_remote(self) -> bool:
        """Always False."""
        return False

    def check(self, workers: int) -> None:
        """Accept every setting; nothing can be refused before the start."""
        del workers

    def with_parallelism(self, parallelism: str) -> Self:
        """Return a copy with another `parallelism`."""
        return replace(self, parallelism=parallelism)

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[LokyEngine]:
        """Start the workers, warm them, and end them afterwards."""
        from optibench.backends.sklearn.loky import BrokenProcessPool

        checkpoint()
        try:
            with MemoryMappedFiles() as files, _engine(request, files) as engine:
                engine.warm()
                yield engine
        except BrokenProcessPool as error:
            msg = (
                "A worker process of the sklearn backend died (killed, or out of memory?); "
                f"its last output is in the run's artifact logs/. {error}"
            )
            raise EngineError(msg) from error


@contextmanager
def _engine(request: EngineRequest, files: MemoryMappedFiles) -> Iterator[LokyEngine]:
    """Yield an engine whose workers end with the block."""
    engine = LokyEngine(request, files)
    try:
        yield engine
    finally:
        engine.close()


class LokyEngine:
    """Started loky workers."""

    overhead_seconds = 0.002
    notes: tuple[str, ...] = ()
    remote: None = None
    data_parallel: None = None

    def __init__(self, request: EngineRequest, files: MemoryMappedFiles) -> None:
        """Start workers; shared data go into `files`."""
        from optibench.backends.sklearn.pool import RestartingPool

        self._request = request
        self._files = files
        self._retries = RetryCounter()
        self.slots = request.workers
        self._pool = RestartingPool(self._start_executor, request.workers, self._count_retry)

    @property
    def units_run_again(self) -> int:
        """Units of batches whose worker was lost, or killed by loky after the loss of another."""
        return self._retries.count

    @property
    def reuse(self) -> EngineReuse:
        """This engine itself."""
        return self

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def _start_executor(self) -> Executor:
        """Start an executor of loky."""
        from optibench.backends.sklearn.loky import start_executor

        return start_executor(
            self.slots,
            _begin,
            (str(self._request.logs), self._request.modules),
            worker_process.thread_environment(self._request.threads),
        )

    def _count_retry(self, call: Call) -> None:
        """Count a retried call; its last argument is the batch."""
        self._retries.add(units_in(call.arguments[-1]))

    def warm(self, modules: Sequence[str] = ()) -> None:
        """Return when every worker has run its initializer and imported `modules`."""
        self._run_on_all_workers(worker_process.load, tuple(modules))

    def forget(self) -> None:
        """Remove the shared file and have the workers drop their map of it."""
        self._files.clear()
        self._run_on_all_workers(memory_mapping.release_mapped)

    def _run_on_all_workers(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function once on every worker: each call blocks until all have started."""
        marks = tempfile.mkdtemp(dir=self._files.folder)
        calls = [
            self._pool.executor.submit(_call_and_wait, function, arguments, marks, self.slots)
            for _ in range(self.slots)
        ]
        for call in calls:
            call.result()

    def share(self, value: V) -> SharedValue[V]:
        """Write `value` to a file whose arrays the workers map into their memory."""
        return self._files.write(value)

    def submit(self, task: WorkerTask[V, B, R], shared: SharedValue[V], batch: B) -> Future[R]:
        """Queue one batch; it is retried if its worker is lost."""
        return self._pool.submit(memory_mapping.run_on_mapped, task, shared, batch)

    def versions(self) -> Mapping[str, str]:
        """Return the versions of joblib and of its loky."""
        from importlib.metadata import version

        from optibench.backends.sklearn import loky

        return {"joblib": version("joblib"), "loky": loky.version()}


def _begin(logs: str, modules: Sequence[str]) -> None:
    """Turn this process into a worker that is not ended for its memory."""
    from optibench.backends.sklearn.loky import allow_growth

    allow_growth()
    worker_process.begin(logs, modules)


def _call_and_wait(
    function: Callable[..., object], arguments: tuple[object, ...], marks: str, count: int
) -> None:
    function(*arguments)
    worker_process.wait_for_workers(marks, count)
