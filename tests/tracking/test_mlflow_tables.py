"""What OptiBench relies on in MLflow's database, and what it does where that has changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.entities import Param, RunTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from optibench.locations import SQLITE_PREFIX, sqlite_path
from optibench.records import Status
from optibench.tracking import MlflowTracker, Store
from optibench.tracking.candidates import write_run
from optibench.tracking.mlflow_tables import (
    COLUMNS,
    RunTables,
    SchemaError,
    create_database,
    is_tracking_database,
    run_tables,
    schema_differences,
)
from optibench.tracking.records_as_mlflow import NestedRun, nested_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlflow.entities import Run, RunInfo

    from optibench.records import CandidateResult, RunHeader

CHANGES = {
    "ALTER TABLE tags RENAME COLUMN value TO text": [
        "table tags has no column value",
        "table tags has an unknown column text",
    ],
    "ALTER TABLE latest_metrics ADD COLUMN model_id VARCHAR(32)": [
        "table latest_metrics has an unknown column model_id"
    ],
    "DROP TABLE params": ["there is no table params"],
}


@pytest.fixture
def copied(store: Store, tmp_path: Path) -> Store:
    """A copy of the session's store, to be changed."""
    path = tmp_path / "copied.db"
    original = sqlite_path(store.uri)
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return Store(f"{SQLITE_PREFIX}{path}", store.artifact_location)


def change(store: Store, statement: str) -> None:
    with closing(sqlite3.connect(sqlite_path(store.uri))) as connection, connection:
        connection.execute(statement)


def parent_of(store: Store, name: str) -> RunInfo:
    client = store.client()
    location = store.artifact_location
    experiment = client.create_experiment(name, artifact_location=location)
    return client.create_run(experiment).info


def described(candidates: list[CandidateResult], parent: RunInfo) -> list[NestedRun]:
    """With more parameters and tags than one request takes."""
    shared = {"mlflow.parentRunId": parent.run_id, "mlflow.user": "somebody", "empty": ""}
    runs = [nested_run("silhouette", candidate, shared) for candidate in candidates]
    runs[0].params.extend(Param(f"p{number}", str(number)) for number in range(120))
    runs[0].tags.extend(RunTag(f"t{number}", str(number)) for number in range(120))
    return runs


def seen(client: MlflowClient, parent: RunInfo) -> list[object]:
    """All that the client says of the runs below a parent, without what differs by run id."""
    found = client.search_runs(
        [parent.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.run_id}'"
    )
    return [_without_ids(client, run, parent) for run in sorted(found, key=_name)]


def _name(run: Run) -> str:
    return run.info.run_name


def _without_ids(client: MlflowClient, run: Run, parent: RunInfo) -> object:
    info, data = run.to_dictionary()["info"], run.to_dictionary()["data"]
    for key in ("run_id", "run_uuid", "experiment_id"):
        info.pop(key, None)
    info["artifact_uri"] = info["artifact_uri"].replace(run.info.run_id, "RUN")
    assert data["tags"].pop("mlflow.parentRunId") == parent.run_id
    history = {
        key: [(point.value, point.timestamp, point.step) for point in points]
        for key in data["metrics"]
        if (points := client.get_metric_history(run.info.run_id, key))
    }
    return info, data, history


def rows(store: Store, experiment_id: str) -> list[tuple[object, ...]]:
    """The rows of all tables, with the name of a run in place of its id."""
    found = []
    with closing(sqlite3.connect(sqlite_path(store.uri))) as connection:
        for table, columns in COLUMNS.items():
            own = [f"t.{name}" for name in columns if name not in ("run_uuid", "experiment_id")]
            shown = [f"replace({name}, r.run_uuid, 'RUN')" for name in own]
            types = [f"typeof({name})" for name in own]
            query = (
                f"SELECT '{table}', r.name, {', '.join(shown + types)} "  # noqa: S608
                f"FROM {table} t JOIN runs r ON r.run_uuid = t.run_uuid "
                "WHERE r.experiment_id = ? AND r.name LIKE 'candidate-%'"
            )
            found += connection.execute(query, (int(experiment_id),)).fetchall()
    return sorted(found, key=repr)


def test_the_database_of_the_installed_mlflow_is_the_expected_one(store: Store) -> None:
    tables = run_tables(store.client())  # which names each difference in its error
    assert isinstance(tables, RunTables)
    assert schema_differences(tables.engine) == []


def test_rows_are_those_that_the_client_writes(
    store: Store, candidate: Callable[..., CandidateResult]
) -> None:
    client = store.client()
    by_rows, by_client = parent_of(store, "by rows"), parent_of(store, "by client")
    candidates = [candidate(0), candidate(1, Status.FAILED, "no clusters"), candidate(2)]
    run_tables(client).insert(by_rows, described(candidates, by_rows))
    for run in described(candidates, by_client):
        write_run(client, by_client.experiment_id, run)
    expected = seen(client, by_client)
    assert len(expected) == 3
    assert seen(client, by_rows) == expected
    of_client = [
        tuple(str(value).replace(by_client.run_id, "PARENT") for value in row)
        for row in rows(store, by_client.experiment_id)
    ]
    of_rows = [
        tuple(str(value).replace(by_rows.run_id, "PARENT") for value in row)
        for row in rows(store, by_rows.experiment_id)
    ]
    assert len(of_client) > 300
    assert of_rows == of_client


@pytest.mark.parametrize(("statement", "named"), CHANGES.items())
def test_a_change_of_mlflows_database_is_named(
    copied: Store, statement: str, named: list[str]
) -> None:
    client = copied.client()
    client.search_experiments()  # MLflow itself has opened it before the change
    change(copied, statement)
    with pytest.raises(SchemaError) as caught:
        run_tables(client)
    assert str(caught.value) == "; ".join(named)


def test_runs_of_a_changed_database_are_written_by_the_client_and_the_parent_says_why(
    copied: Store, header: RunHeader, candidate: Callable[..., CandidateResult]
) -> None:
    tracker = MlflowTracker(copied, "changed")
    client = copied.client()
    run_id = tracker.start(header)
    change(copied, "ALTER TABLE runs ADD COLUMN cost FLOAT")
    tracker.log_candidates("silhouette", [candidate(0), candidate(1)])
    parent = client.get_run(run_id)
    nested = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"
    )
    assert sorted(run.info.run_name for run in nested) == ["candidate-0", "candidate-1"]
    note = parent.data.tags["optibench.tracking_note"]
    assert note.endswith("table runs has an unknown column cost")


def test_a_run_with_the_expected_database_has_no_note(
    store: Store, tracker: MlflowTracker, header: RunHeader, candidate: Callable[..., object]
) -> None:
    run_id = tracker.start(header)
    tracker.log_candidates("silhouette", [candidate(0)])
    assert "optibench.tracking_note" not in store.client().get_run(run_id).data.tags


def test_a_client_without_its_engine_is_named_and_a_server_is_not_asked_for_it() -> None:
    changed = SimpleNamespace(tracking_uri="sqlite:////a.db", _tracking_client=None)
    with pytest.raises(SchemaError, match="does not provide its database engine"):
        run_tables(changed)
    assert run_tables(SimpleNamespace(tracking_uri="http://127.0.0.1:5000")) is None


@pytest.mark.parametrize("changed", [False, True])
def test_a_new_database_has_mlflows_tables_also_where_its_store_takes_other_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, changed: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path, root = tmp_path / "new.db", (tmp_path / "artifacts").as_uri()
    original = SqlAlchemyStore.__init__

    def refuse(*_: object) -> None:
        monkeypatch.setattr(SqlAlchemyStore, "__init__", original)  # MLflow knows how to call it
        raise TypeError

    if changed:
        monkeypatch.setattr(SqlAlchemyStore, "__init__", refuse)
    create_database(path, root)
    assert is_tracking_database(path)
    client = MlflowClient(f"{SQLITE_PREFIX}{path}")
    assert isinstance(run_tables(client), RunTables)
    default = client.get_experiment_by_name("Default")
    expected = tmp_path.as_uri() + "/mlruns" if changed else root
    assert default.artifact_location.endswith(f"{expected.removeprefix('file://')}/0")


def test_another_database_is_no_tracking_store(store: Store, tmp_path: Path) -> None:
    assert is_tracking_database(sqlite_path(store.uri))
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE runs (run_uuid VARCHAR(32))")
    assert not is_tracking_database(tmp_path / "other.db")
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        is_tracking_database(tmp_path / "text")
