"""parallelism=data: the table lies in parts at the workers, and every fit uses all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from optibench.contracts import FitSetting, PredictionRequest, TrainerRequest
from optibench.errors import ConfigError, EngineError, FitError
from optibench.evaluation.parts import sample_limit
from optibench.evaluation.scoring import constant_scores, score
from optibench.measure.profiles.call_profiler import CallProfiler
from optibench.records import HELD_OUT, Task
from optibench.strategies.data_parallel.chunks import TableInMemory, shares_of
from optibench.strategies.data_parallel.memory import bytes_of_rows, room_for_rows
from optibench.strategies.data_parallel.parts import Parts, survey
from optibench.strategies.data_parallel.scheduler import DistributedScheduler, FitContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sized

    from optibench.contracts import (
        DataParallelTraining,
        DistributedFit,
        DistributedFitSupport,
        Engine,
        EngineTaskMetrics,
        PartitionedTable,
        Trainer,
    )
    from optibench.records import Chunk, Params
    from optibench.runner.settings import PreparedRun

SCORED_BYTES = 64 * 2**20  # of the rows that the driver gathers to score one part
COPIES = 4  # of labels, places and probabilities, which metrics sort


class DataParallel:
    """Implements `Strategy`."""

    def __init__(self, prepared: PreparedRun) -> None:
        """Begin with the whole table."""
        self._prepared = prepared
        self._table: PartitionedTable
        self._parts: Parts
        self._trainer: Trainer
        self._own: EngineTaskMetrics
        self._winner: DistributedFit
        self._in_files = False
        self._rows: dict[frozenset[int], Chunk] = {}

    @property
    def scaler(self) -> Any | None:
        """Of the parts."""
        return self._parts.scaler

    def split(self) -> None:
        """By a hash of seed, file and row."""
        prepared = self._prepared
        dataset, clusters = prepared.dataset, prepared.task is Task.CLUSTERING
        plan = prepared.part_plan
        if prepared.files is not None:
            self._table, found = prepared.files.table, prepared.files.parts
        else:
            y = None if clusters else dataset.y
            self._table = TableInMemory(dataset.name, dataset.X, y)
            found = survey(self._table, self._table.blocks, plan)
        self._parts = Parts.make(plan, found, scale=prepared.scaling)
        self._parts.check(len(dataset.classes))
        self._prepared = prepared.without_rows()

    def task_metrics(self, engine: Engine) -> EngineTaskMetrics:
        """By its phases."""
        self._own = _training(engine).task_metrics()
        return self._own

    def connect(self, engine: Engine) -> None:
        """Have every worker read its share of the table, once for all fits."""
        self._own.begin("search")
        prepared, config = self._prepared, self._prepared.config
        setting = FitSetting(prepared.facts, config.top.seed, prepared.budget.threads)
        training = _training(engine)
        width = len(prepared.dataset.feature_names)
        profiler = CallProfiler() if config.profiling.enabled else None
        self._trainer = training.trainer(TrainerRequest(config.model, setting, width, profiler))
        shares = shares_of(self._table.blocks, prepared.budget.workers, width)
        shared, reader = (
            engine.share(self._table),
            self._parts.reader(self._support.dtype),
        )
        del self._table
        self._in_files = self._too_large(training, shares)
        self._trainer.hold(shared, shares, reader, in_files=self._in_files)

    def scheduler(self) -> DistributedScheduler:
        """One job after the other."""
        prepared, config = self._prepared, self._prepared.config
        requests = {fold: self._ask({fold}) for fold in sorted(self._parts.train)}
        context = FitContext(
            trainer=self._trainer,
            parts=self._parts,
            task=prepared.task,
            metric=prepared.metric,
            scoring=prepared.scoring,
            rows={fold: self._gathered(ask) for fold, ask in requests.items()},
            requests=requests,
            reuse=config.search.reuse,
            # A job of many candidates on one fold would leave none with all folds.
            in_order=config.search.target is not None or config.search.max_seconds is not None,
        )
        return DistributedScheduler(context)

    def refit(self, params: Params) -> Any:
        """On all workers; it is asked about both parts at once."""
        self._own.begin("fit")
        self._winner = self._fit(params, [self._ask({HELD_OUT}), self._ask(self._parts.train)])
        return self._winner.estimator

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """From what the workers have answered; the defaults are fitted on all workers, too."""
        del estimator
        self._own.begin("score")
        held_out, train = self._ask({HELD_OUT}), self._ask(self._parts.train)
        scores = self._scores(self._winner, 0, held_out)
        of_train = self._scores(self._winner, 1, train)
        wanted = self._prepared.config.evaluation.default_fit
        defaults = self._default_scores(held_out) if wanted else {}
        return {
            **scores,
            **{f"train_{metric}": value for metric, value in of_train.items()},
            **{f"default_{metric}": value for metric, value in defaults.items()},
            **self._baselines(held_out),
        }

    def profiles(self) -> list[bytes]:
        """Of reading, training and answering."""
        return self._trainer.profiles()

    def close(self) -> None:
        """At the end of a run that went well: an engine with an error is never kept."""
        self._trainer.close()

    def facts(self) -> Mapping[str, Any]:
        """How rows were dealt out, what the engine was told."""
        applied = {f"engine_params.{name}": v for name, v in self._winner.applied.items()}
        return {
            "split": "hash of seed, file and row",
            "chunks": "files" if self._in_files else "memory",
            **applied,
        }

    @property
    def _support(self) -> DistributedFitSupport:
        model = self._prepared.config.model
        if model.distributed_fit is None:
            msg = f"backend.parallelism=data: model={model.name} is fitted in trials only."
            raise ConfigError(msg)
        return model.distributed_fit

    def _too_large(self, engine: DataParallelTraining, shares: Sized) -> bool:
        """The rows of a worker would take more than their part of its memory."""
        if engine.persist == "MEMORY_ONLY":
            return False
        prepared = self._prepared
        width = len(prepared.dataset.feature_names)
        value_bytes = self._support.value_bytes
        table_bytes = bytes_of_rows(self._parts.n_rows(self._parts.of), width, value_bytes)
        return table_bytes / len(shares) > room_for_rows(engine.worker_memory_bytes)

    def _fit(self, params: Params, requests: list[PredictionRequest]) -> DistributedFit:
        (fit,) = self._trainer.fit(self._parts.job([params], self._parts.train, requests))
        return fit

    def _default_scores(self, ask: PredictionRequest) -> Mapping[str, float]:
        """NaN where the library's defaults do not fit the data."""
        try:
            return self._scores(self._fit({}, [ask]), 0, ask)
        except FitError:
            return dict.fromkeys(self._prepared.metrics, math.nan)

    def _baselines(self, ask: PredictionRequest) -> Mapping[str, float]:
        """Of the constant answer; none for clusters."""
        rows, prepared = self._gathered(ask), self._prepared
        if rows.y is None:
            return {}
        constant = self._parts.constant(len(prepared.dataset.classes))
        return constant_scores(prepared.task, rows.y, constant, prepared.scoring)

    def _ask(self, parts: Iterable[int]) -> PredictionRequest:
        """As many rows of some parts as the driver can hold, the same on every engine."""
        prepared, wanted = self._prepared, frozenset(parts)
        features = prepared.dataset.X.shape[1] if prepared.task is Task.CLUSTERING else 0
        width = 8 * (features + COPIES * (len(prepared.dataset.classes) + 2))
        n_rows = self._parts.n_rows(wanted)
        return PredictionRequest(wanted, n_rows, sample_limit(n_rows, SCORED_BYTES // width))

    def _scores(
        self, fit: DistributedFit, which: int, ask: PredictionRequest
    ) -> Mapping[str, float]:
        rows, prepared = self._gathered(ask), self._prepared
        return score(prepared.task, rows.X, rows.y, fit.answers[which], prepared.scoring).values

    def _gathered(self, ask: PredictionRequest) -> Chunk:
        """The rows of an ask; gathered once."""
        if ask.parts not in self._rows:
            self._rows[ask.parts] = self._trainer.rows(ask)
        return self._rows[ask.parts]


def _training(engine: Engine) -> DataParallelTraining:
    """Return the engine's ability to fit on all workers; validation has checked that it exists."""
    if engine.data_parallel is None:
        msg = "backend.parallelism=data: this engine runs trials only."
        raise EngineError(msg)
    return engine.data_parallel
