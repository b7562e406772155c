"""Resolve the address of the tracking store, for the run that writes and commands that read.

Ground layer: standard library only, so that `optibench --help` stays fast.
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

    `uri` (configuration or command line) overrides the environment's MLFLOW_TRACKING_URI, which
    overrides the embedded default `sqlite:///<root>/mlruns/mlflow.db`. A relative SQLite file is
    relative to `root`, so that every process of a sweep opens the same file, whatever its working
    directory.
    """
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if not chosen:
        return embedded_uri(root)
    name = _sqlite_file_name(chosen)
    return chosen if name is None else f"{SQLITE_PREFIX}{root.absolute() / name}"


def embedded_uri(root: Path) -> str:
    """Return the address of the embedded store."""
    return f"{SQLITE_PREFIX}{root.absolute() / 'mlruns' / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite address, or None if it is not the address of a SQLite file."""
    name = _sqlite_file_name(uri)
    return None if name is None else Path(name)


def scheme(uri: str) -> str:
    """Return the kind of store without its driver: `postgresql` for `postgresql+psycopg2://`."""
    before, separator, _ = uri.partition(":")
    name = before.split("+")[0].lower()
    return name if separator or name in SERVER_SCHEMES else ""


@contextmanager
def short_patience(seconds: int) -> Iterator[None]:
    """Make MLflow give up on a server after `seconds`; by default it waits for minutes."""
    timeout = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    with environment(timeout):
        yield


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables in the block; many settings of MLflow have no other way."""
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
