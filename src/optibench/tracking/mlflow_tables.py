"""Access to MLflow's database: the only module that depends on private parts of MLflow.

MLflow has no public call that writes a finished run at once. Its client needs a dozen transactions
(20 ms) for a nested run, which is longer than many trials take; `RunTables` writes all nested runs
in one transaction. Written for MLflow 3.17, this module depends on:

- `MlflowClient._tracking_client.store.engine`, the SQLAlchemy engine of a database store;
- the columns in `COLUMNS`, and the values that `create_run`, `log_batch` and `set_terminated`
  write to them;
- `SqlAlchemyStore(uri, artifact_root)`, which creates the tables of a new database;
- the names in `STORE_TABLES`, by which a database is recognised as a tracking store.

The first three have a slower public fallback: the client.
"""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.locations import DATABASE_SCHEMES, SQLITE_PREFIX, scheme

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import RunInfo
    from sqlalchemy import Engine, Table

    from optibench.tracking.records_as_mlflow import NestedRun

    Value = str | int | float | bool | None
    Row = dict[str, Value]

LOCK_SECONDS = 60.0
STORE_TABLES = ("experiments", "runs")
COLUMNS: Mapping[str, Mapping[str, type]] = {
    "runs": {
        "run_uuid": str,
        "name": str,
        "source_type": str,
        "source_name": str,
        "entry_point_name": str,
        "user_id": str,
        "status": str,
        "start_time": int,
        "end_time": int,
        "deleted_time": int,
        "source_version": str,
        "lifecycle_stage": str,
        "artifact_uri": str,
        "experiment_id": int,
    },
    "tags": {"run_uuid": str, "key": str, "value": str},
    "params": {"run_uuid": str, "key": str, "value": str},
    "metrics": {
        "run_uuid": str,
        "key": str,
        "value": float,
        "timestamp": int,
        "step": int,
        "is_nan": bool,
    },
    "latest_metrics": {
        "run_uuid": str,
        "key": str,
        "value": float,
        "timestamp": int,
        "step": int,
        "is_nan": bool,
    },
}


class SchemaError(Exception):
    """A private part of MLflow differs from what this module was written for."""


@dataclass(frozen=True)
class RunTables:
    """The tables of runs in a database whose schema is the expected one."""

    engine: Engine

    def insert(self, parent: RunInfo, runs: Sequence[NestedRun]) -> None:
        """Write all runs in one transaction, as the rows that the client would write.

        Args:
            parent: the run that they are nested in; they get its experiment and the same kind
                of artifact location.
            runs: described in MLflow's terms.
        """
        from sqlalchemy import insert

        rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
        for run in runs:
            for name, row in _rows_of(run, parent):
                rows[name].append(row)
        tables = _tables()
        with self.engine.begin() as connection:
            for name, entries in rows.items():  # runs first: the other tables refer to them
                if entries:
                    connection.execute(insert(tables[name]), entries)


def run_tables(client: MlflowClient) -> RunTables | None:
    """Return the tables of the client's store; None where the store is a server.

    Raises:
        SchemaError: MLflow keeps runs in another way than this module expects.
    """
    from sqlalchemy import Engine

    if scheme(client.tracking_uri) not in DATABASE_SCHEMES | {"sqlite"}:
        return None
    try:
        engine = client._tracking_client.store.engine
    except AttributeError as error:
        msg = f"MLflow's client does not provide its database engine ({error})"
        raise SchemaError(msg) from error
    if not isinstance(engine, Engine):
        msg = f"the engine of MLflow's store is a {type(engine).__name__}"
        raise SchemaError(msg)
    if differences := schema_differences(engine):
        raise SchemaError("; ".join(differences))
    return RunTables(engine)


def schema_differences(engine: Engine) -> list[str]:
    """Compare the database's columns with `COLUMNS`, and name each difference in a sentence.

    An unknown column counts too: MLflow may have come to rely on its value. Takes 1 ms on SQLite.
    """
    from sqlalchemy import inspect

    names = list(COLUMNS)
    reflected = inspect(engine).get_multi_columns(filter_names=names)
    found = {
        table: {column["name"] for column in columns} for (_, table), columns in reflected.items()
    }
    differences = [f"there is no table {name}" for name in names if name not in found]
    for name, columns in found.items():
        expected = COLUMNS[name].keys()
        differences += [f"table {name} has no column {one}" for one in sorted(expected - columns)]
        differences += [
            f"table {name} has an unknown column {one}" for one in sorted(columns - expected)
        ]
    return differences


def is_tracking_database(path: Path) -> bool:
    """Return whether a SQLite file has MLflow's tables; it is opened read-only.

    Raises:
        sqlite3.DatabaseError: the file is not a SQLite database.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in found}.issuperset(STORE_TABLES)


def create_database(path: Path, artifact_root: str) -> None:
    """Create a SQLite database with MLflow's tables and its experiment "Default".

    Args:
        path: a file that does not exist.
        artifact_root: URI of the folder for the artifacts of "Default". The public fallback
            cannot set it: the artifacts then go below the working directory.
    """
    from mlflow import MlflowClient

    uri = f"{SQLITE_PREFIX}{path}"
    try:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        SqlAlchemyStore(uri, artifact_root).engine.dispose()  # type: ignore[no-untyped-call]
    except (ImportError, AttributeError, TypeError):  # its place, its attribute, its arguments
        MlflowClient(uri).get_experiment_by_name("Default")


def enable_write_ahead_log(path: Path) -> None:
    """Switch a SQLite database to a write-ahead log, which halves the cost of a write.

    The setting persists in the file. A file system without shared memory keeps its rollback
    journal, which is slower and as safe; SQLite then reports no error.
    """
    with closing(sqlite3.connect(path, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _tables() -> Mapping[str, Table]:
    from sqlalchemy import BigInteger, Boolean, Column, Float, MetaData, String, Table

    kinds = {str: String, int: BigInteger, float: Float, bool: Boolean}
    return {
        name: Table(name, MetaData(), *(Column(key, kinds[kind]) for key, kind in columns.items()))
        for name, columns in COLUMNS.items()
    }


def _rows_of(run: NestedRun, parent: RunInfo) -> Iterator[tuple[str, Row]]:
    """Yield the rows of one run, each with the name of its table."""
    from mlflow.entities import RunTag

    run_id = uuid.uuid4().hex
    yield "runs", _run_row(run, run_id, parent)
    for tag in [*run.tags, RunTag("mlflow.runName", run.name)]:
        yield "tags", {"run_uuid": run_id, "key": tag.key, "value": tag.value}
    for param in run.params:
        yield "params", {"run_uuid": run_id, "key": param.key, "value": param.value}
    for metric in run.metrics:
        row: Row = {
            "run_uuid": run_id,
            "key": metric.key,
            "value": metric.value,
            "timestamp": metric.timestamp,
            "step": metric.step,
            "is_nan": False,
        }
        yield "metrics", row
        yield "latest_metrics", row


def _run_row(run: NestedRun, run_id: str, parent: RunInfo) -> Row:
    from mlflow.entities import LifecycleStage, RunStatus, SourceType

    return {
        "run_uuid": run_id,
        "name": run.name,
        "source_type": SourceType.to_string(SourceType.UNKNOWN),
        "source_name": "",
        "entry_point_name": "",
        "user_id": next((tag.value for tag in run.tags if tag.key == "mlflow.user"), "unknown"),
        "status": RunStatus.to_string(RunStatus.from_string(str(run.status))),
        "start_time": run.start,
        "end_time": run.end,
        "source_version": "",
        "lifecycle_stage": LifecycleStage.ACTIVE,
        "artifact_uri": parent.artifact_uri.replace(parent.run_id, run_id),
        "experiment_id": int(parent.experiment_id),
    }
