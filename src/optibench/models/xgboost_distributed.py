"""Distributed fits of XGBoost: each worker trains on its own chunks; XGBoost adds the histograms.

One call on every worker, inside one XGBoost communicator, fits all candidates on the same rows.
The rows are quantised once (xgboost.dask and xgboost.spark do so for every fit), a path over
n_estimators is boosted once, and each worker predicts its own held-out rows.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from optibench.contracts import DistributedFit, FitJob, FitSetting
from optibench.errors import ConfigError
from optibench.models.xgboost_fit_sharing import (
    DEFAULT_BINS,
    booster_prediction,
    booster_settings,
    with_count,
)
from optibench.models.xgboost_library import boost
from optibench.models.xgboost_rows import EVERY_ROW, WorkerRows
from optibench.records import Reused

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from xgboost import Booster, DMatrix

    from optibench.contracts import Model
    from optibench.models.hyperparameters import Catalogue
    from optibench.models.xgboost_rows import PartialPrediction
    from optibench.records import Chunk, Params, Prediction, StoredChunk

ONE_PASS = (None, "auto", "hist")


class Trained(NamedTuple):
    """A model in UBJSON, and its parameters (`Booster.save_config`)."""

    model: bytes
    config: str


@dataclass(frozen=True, eq=False)
class Share:
    """One worker's result for one candidate.

    Attributes:
        position: of the candidate in its job.
        fit_seconds, predict_seconds: wall time.
        cpu_seconds: CPU time of this worker, with an equal part of shared work.
        standalone_cpu_seconds: an estimate of its CPU time if nothing had been shared.
        reused: what the candidate got from other candidates.
        trained: the model, from the first worker only.
        predictions: for each request the order of this worker's rows, and their predictions.
    """

    position: int
    fit_seconds: float
    predict_seconds: float
    cpu_seconds: float
    standalone_cpu_seconds: float
    reused: Reused
    trained: Trained | None
    predictions: tuple[PartialPrediction, ...]


@dataclass(frozen=True)
class Quantising:
    """The cost of quantising in this worker, and the number of candidates that share it."""

    seconds: float
    cpu_seconds: float
    sharers: int


@dataclass(frozen=True)
class DistributedXGBoost:
    """Distributed fits of XGBoost; called on every worker at the same time, in a communicator.

    Attributes:
        dtype: of the features in chunks; XGBoost converts to it in any case.
        value_bytes: memory per value, the quantised one included.
        scored_by: the method of chunks that returns what the scores need.
        catalogue: the hyperparameters of the model.
    """

    dtype: ClassVar[str] = "float32"
    value_bytes: ClassVar[int] = 5
    scored_by: ClassVar[str] = "targets"

    catalogue: Catalogue

    def check(self, params: Params) -> None:
        """Refuse what a distributed fit does not support.

        Raises:
            ConfigError: a tree method that needs all rows in one process, or early stopping.
        """
        full = self.catalogue.canonical(params)
        instead = "or backend.parallelism=trials"
        if full.get("tree_method") not in ONE_PASS:
            msg = (
                f"{self.catalogue.model}: tree_method={full['tree_method']} is not available "
                f"with backend.parallelism=data; use hist {instead}."
            )
            raise ConfigError(msg)
        if full.get("early_stopping_rounds") is not None:
            msg = (
                f"{self.catalogue.model}: early_stopping_rounds is not available with "
                f"backend.parallelism=data; leave it out {instead}."
            )
            raise ConfigError(msg)

    def __call__(
        self,
        chunks: Sequence[Chunk | StoredChunk],
        job: FitJob,
        setting: FitSetting,
        *,
        first: bool,
    ) -> list[Share]:
        """Train every candidate of `job` together with the other workers.

        Args:
            chunks: this worker's chunks of all parts.
            job: the same on every worker.
            setting: the same on every worker.
            first: whether this worker sends the boosters.
        """
        own = WorkerRows(chunks, job, setting, first=first)
        full = [with_count(self.catalogue.canonical(params)) for params in job.candidates]
        shares: list[Share] = []
        for bins, positions in _grouped(range(len(full)), lambda i: full[i].get("max_bin")):
            begin, cpu = time.perf_counter(), time.process_time()
            matrix = own.matrix(bins or DEFAULT_BINS)
            cost = Quantising(
                time.perf_counter() - begin, time.process_time() - cpu, len(positions)
            )
            fit_groups = _grouped(positions, lambda i: _fit_group(full[i], i))
            for _, members in fit_groups:
                shares += self._path(own, matrix, [(i, full[i]) for i in members], cost)
        return shares

    def gathered(
        self, of_workers: Sequence[Sequence[Share]], model: Model, job: FitJob, setting: FitSetting
    ) -> Iterator[DistributedFit]:
        """In the driver: merge the results of all workers, and yield each candidate's fit."""
        for shares in zip(
            *(sorted(shares, key=lambda s: s.position) for shares in of_workers), strict=True
        ):
            params = job.candidates[shares[0].position]
            estimator = model.make(
                params, setting.facts, seed=setting.seed, threads=setting.threads
            )
            trained = next(share.trained for share in shares if share.trained)
            estimator.load_model(bytearray(trained.model))
            predictions = zip(*(share.predictions for share in shares), strict=True)
            full = with_count(self.catalogue.canonical(params))
            yield DistributedFit(
                position=shares[0].position,
                estimator=estimator,
                predictions=tuple(
                    merged(partial, setting.facts.n_classes) for partial in predictions
                ),
                fit_seconds=max(share.fit_seconds for share in shares),
                predict_seconds=max(share.predict_seconds for share in shares),
                cpu_seconds=sum(share.cpu_seconds for share in shares),
                standalone_cpu_seconds=sum(share.standalone_cpu_seconds for share in shares),
                reused=shares[0].reused,
                applied={
                    **self._in_effect(trained.config),
                    **{k: v for k, v in booster_settings(full, setting).items() if v is not None},
                    "num_boost_round": full["n_estimators"],
                    "sketch_share": job.sketch_limit / EVERY_ROW,
                    "workers": len(shares),
                },
            )

    def _in_effect(self, config: str) -> Mapping[str, str]:
        """Return all parameters with XGBoost's defaults, each by its canonical name."""
        other_names = {*self.catalogue.aliases, "nthread", "seed"}
        return {k: v for k, v in leaves(json.loads(config)["learner"]) if k not in other_names}

    def _path(
        self,
        own: WorkerRows,
        matrix: DMatrix,
        members: Sequence[tuple[int, Mapping[str, Any]]],
        cost: Quantising,
    ) -> Iterator[Share]:
        """Boost to the largest number of trees, and predict at that of each member."""
        from xgboost import Booster

        members = sorted(members, key=lambda member: member[1]["n_estimators"])
        booster = Booster(booster_settings(members[-1][1], own.setting), [matrix])
        done, boosting = 0, 0.0
        for position, params in members:
            begin, cpu = time.perf_counter(), time.process_time()
            boost(booster, matrix, range(done, params["n_estimators"]))
            fitted, fitted_cpu = time.perf_counter(), time.process_time()
            boosting += fitted_cpu - cpu
            predictions = own.predictions(booster)
            predicting = time.process_time() - fitted_cpu
            reused = Reused.MATRIX if cost.sharers > 1 else Reused.NOTHING
            yield Share(
                position=position,
                fit_seconds=fitted - begin + cost.seconds / cost.sharers,
                predict_seconds=time.perf_counter() - fitted,
                cpu_seconds=fitted_cpu - cpu + predicting + cost.cpu_seconds / cost.sharers,
                standalone_cpu_seconds=boosting + predicting + cost.cpu_seconds,
                reused=Reused.FIT if done else reused,
                trained=_trained(booster) if own.first else None,
                predictions=predictions,
            )
            done = params["n_estimators"]


def _trained(booster: Booster) -> Trained:
    return Trained(bytes(booster.save_raw("ubj")), booster.save_config())


def leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters in a part of `Booster.save_config`, which has them as text."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value)
        elif isinstance(value, str) and name != "name":  # which names the part itself
            yield name, value


def _fit_group(full: Mapping[str, Any], position: int) -> Hashable:
    """Return the key of a fit group: all but the number of trees; with dart one candidate each."""
    if full.get("booster", "gbtree") != "gbtree":
        return position
    return frozenset((k, v) for k, v in full.items() if k != "n_estimators")


def _grouped(
    items: Sequence[int] | range, key: Callable[[int], Hashable]
) -> list[tuple[Any, list[int]]]:
    groups: dict[Any, list[int]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


def merged(predictions: Sequence[PartialPrediction], n_classes: int) -> Prediction:
    """Merge the predictions of all workers to one prediction, with its rows in their order."""
    import numpy as np

    order = np.concatenate([order for order, _ in predictions])
    values = np.concatenate([value for _, value in predictions if value is not None])
    return booster_prediction(values[np.argsort(order)], n_classes)
