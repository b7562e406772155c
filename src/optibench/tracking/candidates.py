"""Writes the nested runs, one per candidate, with their true start and end times.

Through the client a nested run costs 20 ms (create, log, terminate: a dozen transactions), which
is more than many a trial. A store that is a database here gets all of them in one transaction
instead; a server gets them side by side, because there the time is waiting.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflow.entities import LifecycleStage, Metric, Param, RunStatus, RunTag, SourceType
from mlflow.store.tracking.dbmodels import models as tables
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert
from sqlalchemy.orm import Session

from optibench.tracking.records_as_mlflow import (
    chunks,
    metrics_of,
    milliseconds,
    mlflow_tags,
    params_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient

    from optibench.records import CandidateResult, Status

SERVER_THREADS = 8
BATCH = 100  # parameters or tags in one request


@dataclass(frozen=True)
class NestedRun:
    """One candidate in MLflow's own terms. Times are milliseconds since the epoch."""

    name: str
    start: int
    end: int
    status: Status
    params: list[Param]
    metrics: list[Metric]
    tags: list[RunTag]


def nested_run(metric: str, candidate: CandidateResult, tags: Mapping[str, str]) -> NestedRun:
    """Describe a candidate.

    Args:
        metric: the one that `rank_test_score` ranks by.
        candidate: as it came out of the search.
        tags: what it shares with its parent: whose run it is, user, source.
    """
    values = {f"mean_test_{name}": value for name, value in candidate.mean_scores.items()}
    values |= {f"std_test_{name}": value for name, value in candidate.std_scores.items()}
    values |= {
        "rank_test_score": candidate.rank,
        "mean_fit_seconds": candidate.mean_fit_seconds,
        "mean_score_seconds": candidate.mean_score_seconds,
        "cpu_seconds": candidate.cpu_seconds,
        "standalone_cpu_seconds": candidate.standalone_cpu_seconds,
        "reused_fits": candidate.reused_fits,
    }
    if candidate.budget < 1.0:
        values["budget"] = candidate.budget
    own = {
        "optibench.kind": "candidate",
        "optibench.candidate": str(candidate.number),
        "optibench.metric": metric,
    }
    if candidate.error:
        own["optibench.reason"] = candidate.error
    metrics, undefined = metrics_of(values, candidate.end)
    return NestedRun(
        name=f"candidate-{candidate.number}",
        start=milliseconds(candidate.start),
        end=milliseconds(candidate.end),
        status=candidate.status,
        params=params_of(candidate.params),
        metrics=metrics,
        tags=mlflow_tags({**tags, **own}) + undefined,
    )


def write_nested_runs(client: MlflowClient, experiment_id: str, runs: Sequence[NestedRun]) -> None:
    """Write all runs, by the way that is quickest for this store."""
    store = client._tracking_client.store
    if isinstance(store, SqlAlchemyStore):
        write_rows(store, experiment_id, runs)
        return
    with ThreadPoolExecutor(SERVER_THREADS) as pool:
        list(pool.map(lambda run: write_through_client(client, experiment_id, run), runs))


def write_through_client(client: MlflowClient, experiment_id: str, run: NestedRun) -> None:
    """Write one run with the public API, in requests that MLflow takes."""
    tags = {tag.key: tag.value for tag in run.tags[:BATCH]}
    created = client.create_run(experiment_id, start_time=run.start, tags=tags, run_name=run.name)
    run_id = created.info.run_id
    client.log_batch(run_id, metrics=run.metrics, params=run.params[:BATCH])
    for params in chunks(run.params[BATCH:], BATCH):
        client.log_batch(run_id, params=params)
    for more in chunks(run.tags[BATCH:], BATCH):
        client.log_batch(run_id, tags=more)
    client.set_terminated(run_id, str(run.status), end_time=run.end)


def write_rows(store: SqlAlchemyStore, experiment_id: str, runs: Sequence[NestedRun]) -> None:
    """Write all runs in one transaction, as the rows that `create_run` and `log_batch` write."""
    experiment = store.get_experiment(experiment_id)  # type: ignore[no-untyped-call]
    location = str(experiment.artifact_location).rstrip("/")
    rows: dict[Any, list[dict[str, Any]]] = {
        table: []
        for table in (
            tables.SqlRun,
            tables.SqlTag,
            tables.SqlParam,
            tables.SqlMetric,
            tables.SqlLatestMetric,
        )
    }
    for run in runs:
        run_id = uuid.uuid4().hex
        rows[tables.SqlRun].append(
            _run_row(run, run_id)
            | {"experiment_id": experiment_id, "artifact_uri": f"{location}/{run_id}/artifacts"}
        )
        tags = [*run.tags, RunTag("mlflow.runName", run.name)]
        rows[tables.SqlTag] += [
            {"run_uuid": run_id, "key": tag.key, "value": tag.value} for tag in tags
        ]
        rows[tables.SqlParam] += [
            {"run_uuid": run_id, "key": p.key, "value": p.value} for p in run.params
        ]
        metrics = [_metric_row(metric, run_id) for metric in run.metrics]
        rows[tables.SqlMetric] += metrics
        rows[tables.SqlLatestMetric] += metrics
    with Session(store.engine) as session, session.begin():
        for table, entries in rows.items():
            if entries:
                session.execute(insert(table), entries)


def _run_row(run: NestedRun, run_id: str) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "name": run.name,
        "source_type": SourceType.to_string(SourceType.UNKNOWN),
        "source_name": "",
        "entry_point_name": "",
        "source_version": "",
        "user_id": next((tag.value for tag in run.tags if tag.key == "mlflow.user"), "unknown"),
        "status": RunStatus.to_string(RunStatus.from_string(str(run.status))),
        "start_time": run.start,
        "end_time": run.end,
        "lifecycle_stage": LifecycleStage.ACTIVE,
    }


def _metric_row(metric: Metric, run_id: str) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "key": metric.key,
        "value": metric.value,
        "timestamp": metric.timestamp,
        "step": metric.step,
        "is_nan": False,
    }
