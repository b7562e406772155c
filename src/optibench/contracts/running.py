"""A started engine, and the place where a run is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from optibench.records import (
        CandidateResult,
        FittedModel,
        RunHeader,
        Sample,
        Status,
    )

WorkerTask = Callable[[Any, Any], Any]  # of a shared value and one part of the work


class Engine(Protocol):
    """A started engine: its workers are up and have imported what a trial needs."""

    slots: int  # how many batches run at the same time
    notes: tuple[str, ...]  # what cannot be measured on this engine, in sentences
    # In a worker: pid of the process that holds all that it uses. None where workers descend from
    # the driver and are measured with it; others are those of a `RemoteEngine`.
    worker_root: Callable[[], int] | None
    overhead_seconds: float  # measured cost of one task; batches are made long against it

    @property
    def units_run_again(self) -> int:
        """So many since the start, because a worker was lost.

        A batch counts with all its units: nobody knows how far it had come. Of fits on all workers
        each counts that was made again, or of which a part was.
        """

    def share(self, value: Any) -> Any:
        """Send `value` once to every worker; the handle stands for it in `submit`."""

    def view(self, shared: Any) -> Any:
        """The driver's own look at a shared value; mapped, not copied, where workers map it."""

    def submit(self, task: WorkerTask, shared: Any, batch: Any) -> Future[Any]:
        """Run `task(value, batch)` on some worker, where `shared` is the handle of value."""

    def versions(self) -> Mapping[str, str]:
        """Versions of the engine's own libraries (and Java)."""


class RemoteEngine(Engine, Protocol):
    """A started engine whose workers somebody else has started."""

    root_name: str  # what the process is that `worker_root` finds
    unmeasured_processes: str  # what belongs to the cluster and is no worker's
    workers_outlive_run: bool  # when the engine ends
    # Called in a worker before each batch: one that has come for a lost one may not be watched.
    before_batch: Callable[[], object] | None

    @property
    def clock_offsets(self) -> Mapping[str, float]:
        """By host, the seconds that a clock is ahead of the driver's; of those that are wrong."""

    def run_on_all_workers(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        """Call a function in every worker, and return what each said.

        Where workers were lost, in every one that may have done their work.
        """


class Tracker(Protocol):
    """Where a run is written down. Every call is made outside the timed regions."""

    @property
    def journal_folder(self) -> Path | None:
        """Where a search may write down what it learns; None: nowhere."""

    def start(self, header: RunHeader) -> str:
        """Create the run and return its id."""

    def log_candidates(self, metric: str, candidates: Sequence[CandidateResult]) -> None:
        """One nested run per candidate."""

    def log_series(self, samples: Sequence[Sample]) -> None:
        """The resource samples as metric series under `system/`."""

    def log_artifacts(self, directory: Path) -> None:
        """Copy every file below `directory` to the run's artifacts."""

    def log_model(self, model: FittedModel) -> None:
        """The fitted winner, loadable where OptiBench is not installed."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Parameters known only at the end (`best_*`)."""

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """The final batch of metrics."""

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the run; `reason` says why where it did not finish."""
