"""joblib's loky workers: processes that map one file with the shared data."""

from __future__ import annotations

import math
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from optibench.backends.common import memory_mapping, worker_process
from optibench.backends.common.background_start import checkpoint
from optibench.backends.common.memory_mapping import MemoryMappedFiles
from optibench.backends.common.retry_counter import RetryCounter, units_in
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

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
        """Never."""
        return False

    def check(self, workers: int) -> None:
        """Nothing can be refused before the start."""
        del workers

    def with_parallelism(self, parallelism: str) -> Self:
        """Return a copy with another `parallelism`."""
        return replace(self, parallelism=parallelism)

    @contextmanager
    def open(self, request: EngineRequest) -> Iterator[LokyEngine]:
        """Start the workers, warm them, and end them afterwards."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        checkpoint()
        try:
            with MemoryMappedFiles() as files, _engine(request, files) as engine:
                engine.warm()
                yield engine
        except BrokenProcessPool as error:
            msg = (
                "A worker process of the sklearn backend died (killed, or out of memory?); "
                f"its last words are in the run's artifact logs/. {error}"
            )
            raise EngineError(msg) from error


@contextmanager
def _engine(request: EngineRequest, files: MemoryMappedFiles) -> Iterator[LokyEngine]:
    """An engine whose workers end with it."""
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
        self._again = RetryCounter()
        self.slots = request.workers
        self._pool = RestartingPool(self._begin, request.workers, self._note)

    @property
    def units_run_again(self) -> int:
        """Those of the batches whose worker was lost, or killed by loky over the loss of one."""
        return self._again.count

    @property
    def reuse(self) -> EngineReuse:
        """This engine itself."""
        return self

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def _begin(self) -> Any:
        """An executor of loky."""
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            max_workers=self.slots,
            initializer=_begin,
            initargs=(str(self._request.logs), self._request.modules),
            env=worker_process.thread_environment(self._request.threads),
        )

    def _note(self, call: Call) -> None:
        """A call that is made again has the batch as its last argument."""
        self._again.add(units_in(call.arguments[-1]))

    def warm(self, modules: Sequence[str] = ()) -> None:
        """Return when every worker has run its initializer and imported `modules`."""
        self._run_on_all_workers(worker_process.load, tuple(modules))

    def forget(self) -> None:
        """Remove the file that was shared; the workers let go of it."""
        self._files.clear()
        self._run_on_all_workers(memory_mapping.release_mapped)

    def _run_on_all_workers(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function once on every worker: each blocks until all have begun."""
        marks = tempfile.mkdtemp(dir=self._files.folder)
        calls = [
            self._pool.executor.submit(_call_and_meet, function, arguments, marks, self.slots)
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
        """Versions of joblib and of its loky."""
        from importlib.metadata import version

        from joblib.externals import loky

        return {"joblib": version("joblib"), "loky": loky.__version__}


def _begin(logs: str, modules: Sequence[str]) -> None:
    """Turn this process into a worker that stays.

    loky takes a worker that has grown by 300 MB for one that leaks, and ends it; ours grow by the
    table that they map and by what they keep of a fold, within bounds of their own.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf  # it has no public setting
    worker_process.begin(logs, modules)


def _call_and_meet(
    function: Callable[..., object], arguments: tuple[object, ...], marks: str, count: int
) -> None:
    function(*arguments)
    worker_process.wait_for_workers(marks, count)
