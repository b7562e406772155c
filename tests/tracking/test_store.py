"""Opening the store: addresses, fresh databases, several processes, and answers nobody gives."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import optibench
from optibench.errors import ConfigError
from optibench.tracking import prepare_store
from optibench.tracking.store import ensure_experiment

if TYPE_CHECKING:
    from optibench.tracking import Store

FIRST_USE = """
import sys
from pathlib import Path
from optibench.tracking.store import ensure_experiment, prepare_store
store = prepare_store(None, Path(sys.argv[1]))
experiment = ensure_experiment(store, "shared")
run = store.client().create_run(experiment)
store.client().set_terminated(run.info.run_id)
print(experiment)
"""


@pytest.fixture(autouse=True)
def _no_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.slow
def test_four_processes_may_use_a_fresh_store_at_once(tmp_path: Path) -> None:
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE, str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(optibench.__file__).parents[1])},
        )
        for _ in range(4)
    ]  # fmt: skip
    results = [process.communicate(timeout=250) for process in commands]
    assert [process.returncode for process in commands] == [0] * 4, results
    assert {out for out, _ in results} == {"1\n"}
    assert {err for _, err in results} == {""}, "MLflow's chatter reaches the terminal"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlruns"]
    client = prepare_store(None, tmp_path).client()
    assert len(client.search_runs(["1"])) == 4
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_artifacts_go_beside_the_database_also_where_the_path_has_spaces(tmp_path: Path) -> None:
    store = prepare_store("sqlite:///my runs/x.db", tmp_path)
    assert store.artifact_location == (tmp_path / "my runs" / "artifacts").as_uri()
    experiment = store.client().get_experiment(ensure_experiment(store, "e"))
    assert experiment.artifact_location == store.artifact_location
    assert ensure_experiment(store, "e") == experiment.experiment_id


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mlruns", "allowed are sqlite"),
        ("file:///tmp/mlruns", "allowed are sqlite"),
        ("ftp://u:pw@h", "allowed are sqlite"),
        ("sqlite://", "allowed are sqlite"),
        ("http://bob:pw@127.0.0.1:9", "does not answer"),
        ("postgresql://bob:pw@127.0.0.1:9/runs", "does not answer"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_quickly_and_without_credentials(
    tmp_path: Path, uri: str, expected: str
) -> None:
    begun = time.perf_counter()
    with pytest.raises(ConfigError, match=r"tracking\.uri") as caught:
        prepare_store(uri, tmp_path)
    assert time.perf_counter() - begun < 8
    assert expected in str(caught.value)
    texts = [str(caught.value), str(caught.value.__cause__)]
    assert not [text for text in texts if "pw@" in text or "bob" in text]
    assert "MLFLOW_HTTP_REQUEST_TIMEOUT" not in os.environ
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database" * 100)
    with pytest.raises(ConfigError, match=r"x\.db cannot be used"):
        prepare_store("sqlite:///x.db", tmp_path)


def test_an_address_is_not_shown_by_accident(store: Store) -> None:
    assert "sqlite" not in repr(store)
