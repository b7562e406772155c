"""The store's address: one rule for those who write and those who read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from optibench.locations import scheme, short_patience, sqlite_path, store_uri


@pytest.fixture(autouse=True)
def _no_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_configuration_wins_over_environment_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://from-environment:5000")
    assert store_uri(None, tmp_path) == "http://from-environment:5000"
    assert store_uri("sqlite:////abs/x.db", tmp_path) == "sqlite:////abs/x.db"


def test_a_relative_file_lies_below_the_root_whatever_the_working_directory(
    tmp_path: Path,
) -> None:
    assert store_uri("sqlite:///sub/x.db", tmp_path) == f"sqlite:///{tmp_path}/sub/x.db"


def test_the_file_and_kind_of_an_address() -> None:
    assert sqlite_path("sqlite:////a b/x.db") == Path("/a b/x.db")
    assert sqlite_path("sqlite:///:memory:") is None
    assert sqlite_path("http://h/x.db") is None
    assert scheme("postgresql+psycopg2://u:p@h/x") == "postgresql"
    assert scheme("databricks") == "databricks"
    assert scheme("mlruns") == ""


def test_patience_is_short_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    with short_patience(3):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
