"""Opens the tracking store, safely for several processes at once.

MLflow corrupts a new SQLite database when two processes initialise it at the same time. A new
database is therefore created under a file lock, in a temporary file of the same folder, and moved
to its place when it is complete.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from optibench.errors import ConfigError, TrackingError
from optibench.locations import (
    DATABASE_SCHEMES,
    SERVER_SCHEMES,
    SQLITE_PREFIX,
    environment,
    scheme,
    short_patience,
    sqlite_path,
    store_uri,
)
from optibench.redaction import redact, redact_exception
from optibench.tracking.interruption import finished_first
from optibench.tracking.mlflow_tables import create_database, enable_write_ahead_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient

PROBE_SECONDS = 5
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class Store:
    """An opened tracking store.

    Attributes:
        uri: its address, which may contain credentials: redact it before printing.
        artifact_location: URI of the artifacts of a new experiment; None: the server decides.
    """

    uri: str = field(repr=False)
    artifact_location: str | None

    def client(self) -> MlflowClient:
        """Create a client; MLflow keeps one connection pool per address and process."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri)


def prepare_store(uri: str | None, root: Path) -> Store:
    """Resolve the store's address, create a missing SQLite database, and check the connection.

    Args:
        uri: `tracking.uri` of the configuration; None for MLFLOW_TRACKING_URI or the embedded
            default.
        root: the working directory of the launch, which contains the embedded store.

    Raises:
        ConfigError: the address cannot be used, or the store does not answer.
    """
    address = store_uri(uri, root)
    kind = scheme(address)
    database = sqlite_path(address)
    if database is not None:
        _prepare_sqlite(database)
        return Store(address, (database.parent / "artifacts").as_uri())
    if kind not in DATABASE_SCHEMES | SERVER_SCHEMES:
        message = (
            f"tracking.uri={redact(address)}: allowed are sqlite:///FILE, http(s)://HOST:PORT "
            "of an MLflow server, postgresql://, mysql://, mssql:// and databricks. "
            "MLflow no longer supports its file store."
        )
        raise ConfigError(message)
    local = kind in DATABASE_SCHEMES
    store = Store(address, (root.absolute() / "mlruns" / "artifacts").as_uri() if local else None)
    _probe(store, kind)
    return store


def ensure_experiment(store: Store, name: str) -> str:
    """Return the id of an experiment, which is created if it does not exist.

    Several processes may call this at the same time.

    Raises:
        TrackingError: the experiment was deleted, or the store refused.
    """
    from mlflow.exceptions import MlflowException

    client = store.client()
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=store.artifact_location))
        except MlflowException:
            # Another process may have created it meanwhile; otherwise the error is raised.
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        message = (
            f"The experiment {name!r} was deleted from the tracking store: choose another with "
            f"tracking.experiment=NAME, or restore it with `mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`."
        )
        raise TrackingError(message)
    return str(experiment.experiment_id)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn every exception of the block into a `TrackingError` without credentials.

    MLflow, SQLAlchemy, requests and the operating system each raise their own; all of them mean
    that the store failed. Ctrl-C is delayed until the block ends.
    """
    with quiet(), finished_first():
        try:
            yield
        except TrackingError:
            raise
        except Exception as error:
            redact_exception(error)
            message = f"The tracking store refused to {action}: {first_line(error)}"
            raise TrackingError(message) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the log output of MLflow and Alembic; their errors are raised anyway."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    # Importing MLflow sets the level of its logger, so the import comes before our setting.
    import mlflow  # noqa: F401

    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # MLflow prints the URL of each run on stdout, which is for results only.
        silence = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
        with environment(silence), warnings.catch_warnings():
            # The user cannot do anything about deprecations inside MLflow.
            warnings.filterwarnings("ignore", module=r"mlflow\b")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _prepare_sqlite(database: Path) -> None:
    import filelock

    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{database}.lock", timeout=120), quiet():
            if not database.exists() or database.stat().st_size == 0:
                _create_database(database)
            Store(f"{SQLITE_PREFIX}{database}", None).client().get_experiment_by_name("Default")
            enable_write_ahead_log(database)
    except Exception as error:
        redact_exception(error)
        message = (
            f"tracking.uri: the SQLite store {database} cannot be used ({first_line(error)}). "
            "Give another file with tracking.uri=sqlite:///FILE, or upgrade it with "
            "`mlflow db upgrade` where its version is old."
        )
        raise ConfigError(message) from error


def _create_database(database: Path) -> None:
    """Create the database in a temporary file and move it: a kill leaves no broken store."""
    fresh = database.with_name(f".{database.name}.{os.getpid()}.new")
    try:
        create_database(fresh, (database.parent / "artifacts").as_uri())
        fresh.replace(database)
    finally:
        fresh.unlink(missing_ok=True)


def _probe(store: Store, kind: str) -> None:
    """Send the store one small request with a short timeout; MLflow's own timeout is minutes."""
    try:
        if kind in DATABASE_SCHEMES:
            _probe_port(store.uri, kind)
        with quiet(), short_patience(PROBE_SECONDS):
            store.client().get_experiment_by_name("Default")
    except Exception as error:
        redact_exception(error)
        message = (
            f"tracking.uri={redact(store.uri)}: the tracking store does not answer "
            f"({first_line(error)}). Start it, correct the address, or leave tracking.uri and "
            "MLFLOW_TRACKING_URI out for a local store."
        )
        raise ConfigError(message) from error


def _probe_port(uri: str, kind: str) -> None:
    parts = urlsplit(uri)
    if parts.hostname:
        address = (parts.hostname, parts.port or _DATABASE_PORTS[kind])
        socket.create_connection(address, timeout=PROBE_SECONDS).close()


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, redacted and at most 200 characters long."""
    text = redact(str(error)).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
