"""A started engine: what every engine does, and the abilities that some have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from optibench.contracts.data_parallel import DataParallelTraining
    from optibench.contracts.shared_values import B, R, SharedValue, V, WorkerTask


class Engine(Protocol):
    """A started engine, whose workers are up and have imported what a trial needs."""

    @property
    def slots(self) -> int:
        """The number of batches that run at the same time."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What cannot be measured on this engine, in sentences."""

    @property
    def overhead_seconds(self) -> float:
        """The measured cost of one task; the scheduler sizes batches relative to it."""

    @property
    def units_run_again(self) -> int:
        """Number of units retried after worker loss since start-up.

        A lost batch counts with all its units, because its progress is unknown. A fit on all
        workers counts once if it, or a part of it, was made again.
        """

    @property
    def reuse(self) -> EngineReuse | None:
        """The ability to serve several runs; None: the engine serves one run."""

    @property
    def remote(self) -> RemoteWorkers | None:
        """Workers outside the driver's process tree; None: all workers descend from the driver."""

    @property
    def data_parallel(self) -> DataParallelTraining | None:
        """The ability to fit one model on all workers; None: the engine runs trials only."""

    def share(self, value: V) -> SharedValue[V]:
        """Send `value` once to every worker and return the handle that `submit` takes."""

    def submit(self, task: WorkerTask[V, B, R], shared: SharedValue[V], batch: B) -> Future[R]:
        """Run `task(value, batch)` on a worker, where `shared` is the handle of the value."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the engine's own libraries (and Java)."""


class EngineReuse(Protocol):
    """What an engine does between two runs that it serves."""

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` on every worker."""

    def forget(self) -> None:
        """Free all shared values, on the workers too; they are not used any more."""


class RemoteWorkers(Protocol):
    """Workers that do not descend from the driver, so that a monitor has to measure each.

    Attributes:
        before_batch: called in a worker before each batch, because a worker that replaced a lost
            one may have no monitor yet; None: nothing is called.
    """

    before_batch: Callable[[], object] | None

    @property
    def worker_root(self) -> Callable[[], int]:
        """A function that returns, in a worker, the pid of the process that owns all its work."""

    @property
    def root_name(self) -> str:
        """What kind of process `worker_root` finds, for the run's notes."""

    @property
    def unmeasured_processes(self) -> str:
        """The processes of the cluster that belong to no worker, for the run's notes."""

    @property
    def workers_outlive_run(self) -> bool:
        """True if the workers go on when the engine is closed."""

    @property
    def clock_offsets(self) -> Mapping[str, float]:
        """By host, the seconds that a clock is ahead of the driver's; correct clocks left out."""

    def run_on_all_workers(self, function: Callable[..., R], *arguments: object) -> list[R]:
        """Call a function in every worker and return the results.

        After worker loss it is called in every worker that may have taken over work.
        """
