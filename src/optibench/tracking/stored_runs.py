"""Read benchmark runs back from a tracking store, page by page; never create a store."""

from __future__ import annotations

import csv
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.locations import scheme, short_patience, sqlite_path, store_uri
from optibench.redaction import redact, redact_exception
from optibench.tracking.mlflow_tables import is_tracking_database
from optibench.tracking.store import Store, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Experiment, Run

PAGE = 500  # runs held in memory at once
TRIALS_FILE = "trials.csv"
PROBE_SECONDS = 10

Row = dict[str, Any]


class StoredRuns:
    """The benchmark runs of an existing store; rows are flat dictionaries.

    Args:
        uri: the store's address; None for MLFLOW_TRACKING_URI or the embedded default below
            `root`.
        root: the directory that holds the embedded default.

    Raises:
        ConfigError: there is no store, or it cannot be read.
    """

    def __init__(self, uri: str | None, root: Path) -> None:
        self.uri = existing_store(uri, root)
        try:
            with short_patience(PROBE_SECONDS):
                self._client = Store(self.uri, artifact_location=None).client()
                self._experiments = {found.name: found for found in self._all_experiments()}
        except Exception as error:
            # SQLAlchemy, requests and MLflow each raise their own errors.
            redact_exception(error)
            message = f"The tracking store {redact(self.uri)} cannot be read: {first_line(error)}"
            raise ConfigError(message) from error

    def select(self, experiment: str | None) -> list[str]:
        """Return the ids of one experiment, or of all.

        Raises:
            ConfigError: there is no experiment of that name.
        """
        if experiment is None:
            return [str(known.experiment_id) for known in self._experiments.values()]
        if experiment not in self._experiments:
            message = (
                f"--experiment {experiment}: there is no such experiment in {self.described()}."
            )
            raise ConfigError(message)
        return [str(self._experiments[experiment].experiment_id)]

    def described(self) -> str:
        """Name the store and its experiments, for a message."""
        names = ", ".join(sorted(self._experiments))
        return f"{redact(self.uri)}, which has the experiments {names}"

    def runs(self, experiments: list[str]) -> Iterator[Row]:
        """Yield a row per benchmark run, by start time and then run id, without nested runs."""
        for run in self._pages(experiments):
            yield _row(run)

    def trials(self, experiments: list[str]) -> Iterator[Row]:
        """Yield the rows of every run's trials.csv, `run_id` first; a run may have none."""
        for run in self._pages(experiments):
            run_id = run.info.run_id
            if not any(item.path == TRIALS_FILE for item in self._client.list_artifacts(run_id)):
                continue
            with TemporaryDirectory(prefix="optibench-export-") as folder:
                path = Path(self._client.download_artifacts(run_id, TRIALS_FILE, folder))
                with path.open(encoding="utf-8", newline="") as lines:
                    for line in csv.DictReader(lines):
                        yield {"run_id": run_id} | {
                            key: value or None for key, value in line.items()
                        }

    def _pages(self, experiments: list[str]) -> Iterator[Run]:
        token: str | None = None
        while experiments:
            page = self._client.search_runs(
                experiments,
                "tags.`optibench.kind` = 'benchmark'",
                max_results=PAGE,
                order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _all_experiments(self) -> Iterator[Experiment]:
        token: str | None = None
        while True:
            page = self._client.search_experiments(max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def existing_store(uri: str | None, root: Path) -> str:
    """Resolve the address of an existing store; MLflow would silently create a missing one.

    Raises:
        ConfigError: there is no store.
    """
    address = store_uri(uri, root)
    path = sqlite_path(address)
    if path is None:
        if scheme(address) in {"", "file", "sqlite"}:
            message = (
                f"{redact(address)} is not the address of a tracking store, such as "
                "sqlite:///FILE."
            )
            raise ConfigError(message)
        return address
    if not path.is_file() or not _has_tables(path):
        message = (
            f"There is no tracking store at {path}. Run a benchmark first, go to the directory "
            "where it was run, or name the store with --uri sqlite:///FILE."
        )
        raise ConfigError(message)
    return address


def _has_tables(path: Path) -> bool:
    try:
        return is_tracking_database(path)
    except sqlite3.DatabaseError as error:
        message = f"{path} is not a tracking store: {error}."
        raise ConfigError(message) from error


def _row(run: Run) -> Row:
    start = datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC)
    row: Row = {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "start": start.isoformat(timespec="milliseconds"),
    }
    row |= {f"params.{key}": value for key, value in run.data.params.items()}
    row |= {f"metrics.{key}": value for key, value in run.data.metrics.items()}
    row |= {f"tags.{key}": value for key, value in run.data.tags.items()}
    return row
