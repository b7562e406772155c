"""Fits that use every worker of an engine at once (`backend.parallelism=data`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from optibench.records import Prediction, Reused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from optibench.contracts.blocks import PartitionedTable, ReadChunks, Shares
    from optibench.contracts.fit_sharing import FitSetting
    from optibench.contracts.models import Model
    from optibench.contracts.shared_values import SharedValue
    from optibench.records import Chunk, Params

R = TypeVar("R")


@dataclass(frozen=True)
class PredictionRequest:
    """The rows that fitted candidates predict: those of some parts whose order is below a limit.

    Attributes:
        n_rows: number of rows in these parts.
        limit: upper bound of the rows' order; see `evaluation.parts.sample_limit`.
    """

    parts: frozenset[int]
    n_rows: int
    limit: int


@dataclass(frozen=True, eq=False)
class FitJob:
    """Candidates to fit on the same rows, and the predictions to make afterwards.

    Attributes:
        train: the parts to fit on.
        n_rows: number of rows in these parts.
        spread: the mean over the features of their variance in these rows.
        sketch_limit: train rows whose order is below it give the quantiles of features, for
            models that need quantiles.
    """

    candidates: Sequence[Params]
    train: frozenset[int]
    requests: Sequence[PredictionRequest]
    n_rows: int
    spread: float = 1.0
    sketch_limit: int = 2**64


@dataclass(frozen=True, eq=False)
class DistributedFit:
    """The result of one candidate of a `FitJob`.

    Attributes:
        position: position of the candidate in its job.
        estimator: the fitted estimator, in the driver; None if the fit failed.
        predictions: one prediction per `PredictionRequest`, with rows sorted by their order.
        fit_seconds, predict_seconds: wall time.
        cpu_seconds: CPU time of all workers together; shared work is split into equal parts.
        standalone_cpu_seconds: an estimate of the CPU time without sharing.
        reused: what the candidate took over from others.
        applied: the parameters that the engine received, under the engine's names.
    """

    position: int
    estimator: Any
    predictions: tuple[Prediction, ...] = ()
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    cpu_seconds: float = 0.0
    standalone_cpu_seconds: float = 0.0
    reused: Reused = Reused.NOTHING
    applied: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class WorkerProfiler(Protocol):
    """Runs cProfile in workers; it can be sent to them."""

    def call(self, function: Callable[..., R], *arguments: Any) -> R:
        """Call a function in a worker, and profile the call if that costs little."""

    def hand_over(self) -> bytes:
        """Return what was collected in this worker process since the last call."""


@dataclass(frozen=True, eq=False)
class TrainerRequest:
    """What a trainer needs to know when it is made.

    Attributes:
        width: number of features of a row.
        profiler: profiles calls in workers; None: no profile is taken.
    """

    model: Model
    setting: FitSetting
    width: int
    profiler: WorkerProfiler | None


class EngineTaskMetrics(Protocol):
    """What the engine itself recorded about the tasks of one run."""

    def begin(self, phase: str) -> None:
        """Assign the tasks submitted from now on to a phase of the run; this costs little."""

    def read(self) -> Mapping[str, object]:
        """Return all metrics so far as values that JSON can hold, with units in the names.

        All engines give `engine`, `version`, `source`, `notes` (what is missing), `total`,
        `operations` (longest first) with `tasks`, `run_seconds`, `cpu_seconds` and more, and
        both again by `phases`. Slow: do not call it in timed phases.
        """


class DataParallelTraining(Protocol):
    """The ability of a started engine to fit one model with all its workers at once."""

    @property
    def persist(self) -> str:
        """Where chunks are kept between fits: MEMORY_ONLY, MEMORY_AND_DISK, DISK_ONLY or none."""

    @property
    def worker_memory_bytes(self) -> int:
        """The memory that the engine gives each worker."""

    def task_metrics(self) -> EngineTaskMetrics:
        """Record the engine's task metrics from now on."""

    def trainer(self, request: TrainerRequest) -> Trainer:
        """Make the trainer of the requested model.

        Raises:
            ConfigError: the model does not have the support that the trainer needs.
        """


class Trainer(Protocol):
    """Fits one kind of model with all workers of one engine at once.

    The module `optibench/backends/<engine>/<model>.py` names its class in `TRAINER`.
    """

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """Have the workers read the table, once for all fits.

        Args:
            table: the shared table.
            shares: what each worker reads and holds, batch by batch.
            read: makes chunks from a batch.
            in_files: a share exceeds a worker's memory, so its chunks are kept in files.
        """

    def rows(self, request: PredictionRequest) -> Chunk:
        """Gather the requested rows, sorted by their order; the part is the lowest of them."""

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit every candidate on the rows of `job.train` and make its predictions.

        Raises:
            FitError: a candidate cannot be fitted; the workers can fit others.
        """

    def profiles(self) -> list[bytes]:
        """Return what the workers have profiled so far; lost workers' parts may be missing."""

    def close(self) -> None:
        """Free the memory and files that the workers hold."""
