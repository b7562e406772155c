"""Fits that use every worker of an engine at once (`backend.parallelism=data`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from optibench.contracts.running import Engine
from optibench.records import Block, Chunk, Params, Prediction, Reused, Rows

if TYPE_CHECKING:
    from optibench.contracts.fit_sharing import FitSetting
    from optibench.contracts.plugins import Model

Shares = Sequence[Sequence[Sequence[Block]]]  # of each worker, in batches


class PartitionedTable(Protocol):
    """A table that is read block by block; it is shared with every worker."""

    @property
    def blocks(self) -> Sequence[Block]:
        """All of it, in order."""

    def read(self, block: Block) -> Iterator[Rows]:
        """The encoded rows of one block, some at a time."""


ReadChunks = Callable[[PartitionedTable, Sequence[Block]], list[Chunk]]


@dataclass(frozen=True)
class PredictionRequest:
    """Rows about which fitted candidates are asked: of some parts, those below a limit.

    Attributes:
        n_rows: that the parts have.
        limit: of the rows' order; see `evaluation.parts.sample_limit`.
    """

    parts: frozenset[int]
    n_rows: int
    limit: int


@dataclass(frozen=True, eq=False)
class FitJob:
    """Candidates to fit on the same rows, and what they are asked afterwards.

    Attributes:
        train: the parts whose rows they are fitted on.
        n_rows: that these parts have.
        spread: the mean over the features of their variance in these rows.
        sketch_limit: rows to train on whose order is below it give the quantiles of features,
            where a model needs those.
    """

    candidates: Sequence[Params]
    train: frozenset[int]
    requests: Sequence[PredictionRequest]
    n_rows: int
    spread: float = 1.0
    sketch_limit: int = 2**64


@dataclass(frozen=True, eq=False)
class DistributedFit:
    """What became of one candidate of a `FitJob`.

    Attributes:
        position: of the candidate in its job.
        estimator: fitted, in the driver; None where it failed.
        answers: one prediction for each `PredictionRequest`, its rows by their order.
        fit_seconds, predict_seconds: wall time.
        cpu_seconds: of all workers together, what is shared in equal parts.
        standalone_cpu_seconds: an estimate of them if nothing had been shared.
        reused: what it had from others.
        applied: what the engine was really told, by the engine's names.
    """

    position: int
    estimator: Any
    answers: tuple[Prediction, ...] = ()
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    cpu_seconds: float = 0.0
    standalone_cpu_seconds: float = 0.0
    reused: Reused = Reused.NOTHING
    applied: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class WorkerProfiler(Protocol):
    """cProfile in workers; it can be sent to them."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """In a worker: call a function, and profile it where that costs little."""

    def hand_over(self) -> bytes:
        """In a worker: what was collected in its process since the last time."""


@dataclass(frozen=True, eq=False)
class TrainerRequest:
    """What a trainer is made for.

    Attributes:
        width: features of a row.
        profiler: for what workers are called for; None: they run bare.
    """

    model: Model
    setting: FitSetting
    width: int
    profiler: WorkerProfiler | None


class EngineTaskMetrics(Protocol):
    """What an engine itself keeps of the work of one run, by its own count."""

    def begin(self, phase: str) -> None:
        """What is begun from now on belongs to a phase of the run; costs next to nothing."""

    def read(self) -> Mapping[str, Any]:
        """All of it so far, as plain values for JSON, with units in the names.

        Engines have in common: `engine`, `version`, `source`, `notes` (what it lacks), `total`,
        `operations` (the longest first) with `tasks`, `run_seconds`, `cpu_seconds` and more, and
        both by `phases`. Slow: not for timed phases.
        """


class DataParallelEngine(Engine, Protocol):
    """A started engine that can also fit one model with all its workers at once."""

    persist: str  # where chunks are kept between fits: MEMORY_ONLY, MEMORY_AND_DISK, none

    @property
    def worker_memory_bytes(self) -> int:
        """What the engine has given each worker."""

    def task_metrics(self) -> EngineTaskMetrics:
        """Of what the engine does from now on."""

    def trainer(self, request: TrainerRequest) -> Trainer:
        """For the model of the request."""


class Trainer(Protocol):
    """Fits one kind of model with all workers of one engine at once.

    The module `optibench/backends/<engine>/<model>.py` names its class in `TRAINER`.
    """

    def hold(self, table: Any, shares: Shares, read: ReadChunks, *, in_files: bool) -> None:
        """Have the workers read the table, once for all fits.

        Args:
            table: the handle of a shared `PartitionedTable`.
            shares: what each worker reads and holds, batch by batch.
            read: makes chunks of a batch.
            in_files: a share is too large for a worker's memory: keep chunks in its files.
        """

    def rows(self, ask: PredictionRequest) -> Chunk:
        """The rows of an ask, gathered, by their order; the part is the ask's lowest."""

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit every candidate on the rows of `job.train`, and ask it.

        Raises:
            FitError: a candidate cannot be fitted; the workers can go on with others.
        """

    def profiles(self) -> list[bytes]:
        """What the workers have profiled so far; what a lost one had, may be lost with it."""

    def close(self) -> None:
        """Free what the workers hold."""
