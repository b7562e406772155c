"""Where the tracking store lies: one rule for the run that writes and the commands that read.

Ground layer: standard library only, so that `optibench --help` stays cheap.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATABASE_SCHEMES = frozenset({"postgresql", "mysql", "mssql"})
SERVER_SCHEMES = frozenset({"http", "https", "databricks"})
SQLITE_PREFIX = "sqlite:///"


def store_uri(uri: str | None, root: Path) -> str:
    """Resolve the address of the tracking store.

    `uri` (configuration or command line) wins over the environment's MLFLOW_TRACKING_URI, which
    wins over the embedded default `sqlite:///<root>/mlruns/mlflow.db`. A relative SQLite file is
    taken from `root`, so that every process of a sweep means the same file whatever its working
    directory.
    """
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if not chosen:
        return embedded_uri(root)
    name = _sqlite_file_name(chosen)
    return chosen if name is None else f"{SQLITE_PREFIX}{root.absolute() / name}"


def embedded_uri(root: Path) -> str:
    """The address of the embedded store."""
    return f"{SQLITE_PREFIX}{root.absolute() / 'mlruns' / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite address, or None where the address is not one of a SQLite file."""
    name = _sqlite_file_name(uri)
    return None if name is None else Path(name)


def scheme(uri: str) -> str:
    """The kind of store, without the driver: `postgresql+psycopg2://...` is `postgresql`."""
    before, separator, _ = uri.partition(":")
    name = before.split("+")[0].lower()
    return name if separator or name in SERVER_SCHEMES else ""


@contextmanager
def short_patience(seconds: int) -> Iterator[None]:
    """Let MLflow give up on a server after `seconds`; its own patience is minutes."""
    timeout = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with environment(timeout):
        yield


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a moment: much of MLflow listens to nothing else."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _sqlite_file_name(uri: str) -> str | None:
    if scheme(uri) != "sqlite":
        return None
    name = uri.partition("://")[2].removeprefix("/").partition("?")[0]
    return None if name in {"", ":memory:"} else name
