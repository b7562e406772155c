"""Opens the place where runs are written, safely for several processes at once.

MLflow breaks a fresh SQLite database for good when two processes use it first at the same time,
so a fresh one is made under a file lock, in a file beside its place, and moved there when it is
complete.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
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
        uri: its address, which may hold credentials: never print it unredacted.
        artifact_location: where a new experiment's artifacts go, as a URI; None leaves it to the
            server.
    """

    uri: str = field(repr=False)
    artifact_location: str | None

    def client(self) -> MlflowClient:
        """A client of this store; MLflow keeps one connection pool per address and process."""
        from mlflow import MlflowClient

        return MlflowClient(self.uri)


def prepare_store(uri: str | None, root: Path) -> Store:
    """Resolve the store's address, make a fresh SQLite database, and see that it answers.

    Args:
        uri: `tracking.uri` of the configuration; None for MLFLOW_TRACKING_URI or the embedded
            default.
        root: the working directory of the launch, where the embedded store lives.

    Raises:
        ConfigError: the address is not one that can be used, or nobody answers there.
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
            "MLflow has given up its file store."
        )
        raise ConfigError(message)
    local = kind in DATABASE_SCHEMES
    store = Store(address, (root.absolute() / "mlruns" / "artifacts").as_uri() if local else None)
    _probe(store, kind)
    return store


def ensure_experiment(store: Store, name: str) -> str:
    """The id of the experiment called `name`, created where it does not exist; safe in a race.

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
            # Another process was faster; where that is not the reason the error is the caller's.
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        message = (
            f"The experiment {name!r} was deleted from the tracking store: choose another with "
            f"tracking.experiment=NAME, or bring it back with `mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`."
        )
        raise TrackingError(message)
    return str(experiment.experiment_id)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn whatever MLflow and its libraries raise into a `TrackingError` without credentials.

    Everything that goes wrong in there is the store's: SQLAlchemy, requests, operating system
    errors alike. Ctrl-C waits until the block is over.
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
    """Keep MLflow's and Alembic's remarks off the terminal; their errors are raised anyway."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    # Importing MLflow sets its own level: it has to come first, or it would undo ours.
    import mlflow  # noqa: F401

    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        # It prints every run's address on stdout, where only results belong.
        silence = {"MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
        with environment(silence), warnings.catch_warnings():
            # Deprecations inside MLflow are its makers' business, not the user's.
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
            # It persists in the file and halves the cost of a write. File systems without shared
            # memory keep # their journal, which is slower and as safe, so the answer does not
            # matter.
            with sqlite3.connect(database, timeout=60) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
    except Exception as error:
        redact_exception(error)
        message = (
            f"tracking.uri: the SQLite store {database} cannot be used ({first_line(error)}). "
            "Give another file with tracking.uri=sqlite:///FILE, or upgrade it with "
            "`mlflow db upgrade` where its version is old."
        )
        raise ConfigError(message) from error


def _create_database(database: Path) -> None:
    """Make the tables in a file beside and move it: killed half-way, no broken store is left."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    fresh = database.with_name(f".{database.name}.{os.getpid()}.new")
    try:
        artifacts = (database.parent / "artifacts").as_uri()
        store = SqlAlchemyStore(f"{SQLITE_PREFIX}{fresh}", artifacts)  # type: ignore[no-untyped-call]
        store.engine.dispose()
        fresh.replace(database)
    finally:
        fresh.unlink(missing_ok=True)


def _probe(store: Store, kind: str) -> None:
    """Ask the store one small question, with a short patience: MLflow's own takes minutes."""
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
