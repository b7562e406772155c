"""Divide the table between the workers, and run one fit after the other on all of them."""

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
    from optibench.strategies.data_parallel.files import SurveyedFiles
    from optibench.strategies.settings import StrategySettings

SCORED_BYTES = 64 * 2**20  # of the rows that the driver gathers to score one part
COPIES = 4  # copies of labels, positions and probabilities that metrics make to sort them


class DataParallel:
    """Implements `Strategy`."""

    def __init__(self, settings: StrategySettings, files: SurveyedFiles | None) -> None:
        """Begin with the table in `files`, or with the table that the driver holds."""
        self._settings, self._files = settings, files
        self._table: PartitionedTable
        self._parts: Parts
        self._trainer: Trainer
        self._metrics: EngineTaskMetrics
        self._winner: DistributedFit
        self._in_files = False
        self._gathered: dict[frozenset[int], Chunk] = {}

    @property
    def scaler(self) -> Any | None:
        """Scaler of the parts."""
        return self._parts.scaler

    def split(self) -> None:
        """Assign rows to parts by a hash of seed, file and row number."""
        settings = self._settings
        dataset, plan = settings.dataset, settings.part_plan
        if self._files is not None:
            self._table, facts = self._files.table, self._files.parts
        else:
            y = None if settings.task is Task.CLUSTERING else dataset.y
            self._table = TableInMemory(dataset.name, dataset.X, y)
            facts = survey(self._table, self._table.blocks, plan)
        self._parts = Parts.make(plan, facts, scale=settings.scaling)
        self._parts.check(len(dataset.classes))
        self._settings, self._files = settings.without_rows(), None

    def task_metrics(self, engine: Engine) -> EngineTaskMetrics:
        """Return the engine's metrics by phase of the run."""
        self._metrics = _training(engine).task_metrics()
        return self._metrics

    def connect(self, engine: Engine) -> None:
        """Have every worker read its share of the table, once for all fits."""
        self._metrics.begin("search")
        settings, training = self._settings, _training(engine)
        fit_setting = FitSetting(settings.facts, settings.seed, settings.threads)
        width = len(settings.dataset.feature_names)
        profiler = CallProfiler() if settings.profiling else None
        request = TrainerRequest(settings.model, fit_setting, width, profiler)
        self._trainer = training.trainer(request)
        shares = shares_of(self._table.blocks, settings.workers, width)
        shared, reader = engine.share(self._table), self._parts.reader(self._support.dtype)
        del self._table
        self._in_files = self._exceeds_memory(training, shares)
        self._trainer.hold(shared, shares, reader, in_files=self._in_files)

    def scheduler(self) -> DistributedScheduler:
        """Return the scheduler that runs one job after the other."""
        settings = self._settings
        requests = {fold: self._request({fold}) for fold in sorted(self._parts.train)}
        limits = (settings.search.target, settings.search.max_seconds)
        context = FitContext(
            trainer=self._trainer,
            parts=self._parts,
            task=settings.task,
            metric=settings.metric,
            scoring=settings.scoring,
            rows={fold: self._rows(request) for fold, request in requests.items()},
            requests=requests,
            reuse=settings.search.reuse,
            # After a job of many candidates on one fold no candidate would have all folds.
            in_order=any(limit is not None for limit in limits),
        )
        return DistributedScheduler(context)

    def refit(self, params: Params) -> Any:
        """Fit the winner on all workers, which also predict both parts."""
        self._metrics.begin("fit")
        requests = [self._request({HELD_OUT}), self._request(self._parts.train)]
        self._winner = self._fit(params, requests)
        return self._winner.estimator

    def evaluate(self, estimator: Any) -> dict[str, float]:
        """Score the predictions of the refit; fit the default hyperparameters on all workers."""
        del estimator
        self._metrics.begin("score")
        held_out, train = self._request({HELD_OUT}), self._request(self._parts.train)
        scores = self._scores(self._winner, 0, held_out)
        train_scores = self._scores(self._winner, 1, train)
        wanted = self._settings.evaluation.default_fit
        defaults = self._default_scores(held_out) if wanted else {}
        return {
            **scores,
            **{f"train_{metric}": value for metric, value in train_scores.items()},
            **{f"default_{metric}": value for metric, value in defaults.items()},
            **self._baselines(held_out),
        }

    def profiles(self) -> list[bytes]:
        """Return the workers' profiles of reading, training and predicting."""
        return self._trainer.profiles()

    def close(self) -> None:
        """Free the workers' memory after success; an engine with an error is never reused."""
        self._trainer.close()

    def facts(self) -> Mapping[str, Any]:
        """Return how rows were divided, where chunks lie, and the engine's own parameters."""
        applied = {f"engine_params.{name}": v for name, v in self._winner.applied.items()}
        return {
            "split": "hash of seed, file and row",
            "chunks": "files" if self._in_files else "memory",
            **applied,
        }

    @property
    def _support(self) -> DistributedFitSupport:
        model = self._settings.model
        if model.distributed_fit is None:
            msg = (
                f"backend.parallelism=data: model={model.name} has no data-parallel fit; "
                "set backend.parallelism=trials."
            )
            raise ConfigError(msg)
        return model.distributed_fit

    def _exceeds_memory(self, training: DataParallelTraining, shares: Sized) -> bool:
        """Return whether a worker's rows need more memory than it has for them."""
        if training.persist == "MEMORY_ONLY":
            return False
        width, n_rows = (
            len(self._settings.dataset.feature_names),
            self._parts.n_rows(self._parts.of),
        )
        table_bytes = bytes_of_rows(n_rows, width, self._support.value_bytes)
        return table_bytes / len(shares) > room_for_rows(training.worker_memory_bytes)

    def _fit(self, params: Params, requests: list[PredictionRequest]) -> DistributedFit:
        (fit,) = self._trainer.fit(self._parts.job([params], self._parts.train, requests))
        return fit

    def _default_scores(self, request: PredictionRequest) -> Mapping[str, float]:
        """Score the library's defaults; NaN where they do not fit the data."""
        try:
            return self._scores(self._fit({}, [request]), 0, request)
        except FitError:
            return dict.fromkeys(self._settings.metrics, math.nan)

    def _baselines(self, request: PredictionRequest) -> Mapping[str, float]:
        """Score the constant prediction; clustering has none."""
        rows, settings = self._rows(request), self._settings
        if rows.y is None:
            return {}
        constant = self._parts.constant(len(settings.dataset.classes))
        return constant_scores(settings.task, rows.y, constant, settings.scoring)

    def _request(self, parts: Iterable[int]) -> PredictionRequest:
        """Request predictions for as many rows of some parts as the driver can hold.

        The rows are the same on every engine.
        """
        settings, wanted = self._settings, frozenset(parts)
        features = settings.dataset.X.shape[1] if settings.task is Task.CLUSTERING else 0
        row_bytes = 8 * (features + COPIES * (len(settings.dataset.classes) + 2))
        n_rows = self._parts.n_rows(wanted)
        return PredictionRequest(wanted, n_rows, sample_limit(n_rows, SCORED_BYTES // row_bytes))

    def _scores(
        self, fit: DistributedFit, position: int, request: PredictionRequest
    ) -> Mapping[str, float]:
        """Score the predictions of a fit for the request at `position`."""
        rows, settings = self._rows(request), self._settings
        return score(
            settings.task, rows.X, rows.y, fit.predictions[position], settings.scoring
        ).values

    def _rows(self, request: PredictionRequest) -> Chunk:
        """Gather the rows of a request, once for all fits."""
        if request.parts not in self._gathered:
            self._gathered[request.parts] = self._trainer.rows(request)
        return self._gathered[request.parts]


def _training(engine: Engine) -> DataParallelTraining:
    """Return the engine's data-parallel training, which validation has checked to exist."""
    if engine.data_parallel is None:
        msg = "backend.parallelism=data: this engine runs trials only."
        raise EngineError(msg)
    return engine.data_parallel
