"""Checks and errors that CSV and Parquet share, whether a table is read whole or in blocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from optibench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from optibench.datasets.fields import DatasetFields


def existing_path(fields: DatasetFields) -> Path:
    """Return `fields.path`, relative to the working directory.

    Raises:
        ConfigError: no path is given.
        DataError: there is no such file or directory.
    """
    if not fields.path:
        msg = f"dataset.path is missing: dataset={fields.name} needs the path of a file to read."
        raise ConfigError(msg)
    path = Path(fields.path).expanduser()
    if not path.exists():
        msg = f"dataset.path={fields.path!r}: no such file (looked for {path.absolute()})."
        raise DataError(msg)
    return path


def existing_file(fields: DatasetFields) -> Path:
    """Return `fields.path`, which must not be a directory.

    Raises:
        ConfigError, DataError: as `existing_path`; or the path is a directory.
    """
    path = existing_path(fields)
    if path.is_dir():
        msg = f"dataset.path={fields.path!r} is a directory; dataset={fields.name} reads one file."
        raise DataError(msg)
    return path


def refuse_sampling(fields: DatasetFields) -> None:
    """Refuse to draw rows of a table that is read in blocks.

    Raises:
        ConfigError: `n_samples` is given.
    """
    if fields.n_samples is not None:
        msg = (
            f"dataset.n_samples={fields.n_samples}: with backend.parallelism=data, files are read "
            "in blocks with all their rows. Set it to null, or choose backend.parallelism=trials."
        )
        raise ConfigError(msg)


def refuse_duplicates(path: Path, columns: Sequence[str]) -> None:
    """Refuse two columns of the same name.

    Raises:
        DataError: the message names the first such column.
    """
    seen: set[str] = set()
    for column in columns:
        if column in seen:
            msg = f"{path}: two columns are named {column!r}; rename one of them in the file."
            raise DataError(msg)
        seen.add(column)


def require_rows(path: Path, frame: pd.DataFrame) -> None:
    """Refuse a table without rows.

    Raises:
        DataError: there are column names at most.
    """
    if frame.empty:
        raise no_rows(path)


def no_rows(path: Path) -> DataError:
    """Return the error for a table without rows."""
    return DataError(f"{path}: the table has no rows, only column names.")


def unreadable_parquet(path: Path | str, error: Exception) -> DataError:
    """Return the error for files that pyarrow cannot read."""
    return DataError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}")


def no_parquet_columns(path: Path) -> DataError:
    """Return the error for a directory without Parquet files, or files without columns."""
    return DataError(f"{path}: there is no Parquet file with columns.")
