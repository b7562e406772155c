"""Writes nested runs, one per candidate, in the way that is fastest for the store.

A database gets all of them in one transaction (`mlflow_tables`). A server gets several at a time
through the client, because there the time is spent waiting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from optibench.locations import sqlite_path
from optibench.tracking.mlflow_tables import SchemaError, run_tables
from optibench.tracking.records_as_mlflow import BATCH_SIZE, chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from mlflow.entities import RunInfo

    from optibench.tracking.records_as_mlflow import NestedRun

SERVER_THREADS = 8


def write_nested_runs(
    client: MlflowClient, parent: RunInfo, runs: Sequence[NestedRun]
) -> str | None:
    """Write all runs below `parent`.

    Returns:
        A note where the store is a database that MLflow has changed, so that the runs were written
        through the client, 20 ms each; None otherwise.
    """
    try:
        tables = run_tables(client)
    except SchemaError as error:
        _write_through_client(client, parent.experiment_id, runs)
        return (
            "nested runs were written through MLflow's client, which takes longer, because this "
            f"version of OptiBench does not know the database of this MLflow: {error}"
        )
    if tables is None:
        _write_through_client(client, parent.experiment_id, runs)
    else:
        tables.insert(parent, runs)
    return None


def _write_through_client(
    client: MlflowClient, experiment_id: str, runs: Sequence[NestedRun]
) -> None:
    threads = 1 if sqlite_path(client.tracking_uri) else SERVER_THREADS  # SQLite has one writer
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda run: write_run(client, experiment_id, run), runs))


def write_run(client: MlflowClient, experiment_id: str, run: NestedRun) -> None:
    """Write one run with the public API, in requests of a size that MLflow accepts."""
    tags = {tag.key: tag.value for tag in run.tags[:BATCH_SIZE]}
    created = client.create_run(experiment_id, start_time=run.start, tags=tags, run_name=run.name)
    run_id = created.info.run_id
    client.log_batch(run_id, metrics=run.metrics, params=run.params[:BATCH_SIZE])
    for params in chunks(run.params[BATCH_SIZE:], BATCH_SIZE):
        client.log_batch(run_id, params=params)
    for more in chunks(run.tags[BATCH_SIZE:], BATCH_SIZE):
        client.log_batch(run_id, tags=more)
    client.set_terminated(run_id, str(run.status), end_time=run.end)
