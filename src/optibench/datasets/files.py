"""Checks that csv and parquet share: the path, and the table that was read from it."""

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
        DataError: nothing is there.
    """
    if not fields.path:
        msg = f"dataset.path is missing: dataset={fields.name} needs the path of a file to read."
        raise ConfigError(msg)
    path = Path(fields.path).expanduser()
    if not path.exists():
        msg = f"dataset.path={fields.path!r}: no such file (looked for {path.absolute()})."
        raise DataError(msg)
    return path


def refuse_sampling(fields: DatasetFields) -> None:
    """Refuse to draw rows of a table that is read in blocks.

    Raises:
        ConfigError: `n_samples` is given.
    """
    if fields.n_samples is not None:
        msg = (
            f"dataset.n_samples={fields.n_samples}: with backend.parallelism=data files are read "
            "in blocks, all rows of them. Set it to null, or take backend.parallelism=trials."
        )
        raise ConfigError(msg)


def refuse_duplicates(path: Path, columns: Sequence[str]) -> None:
    """Refuse two columns of one name.

    Raises:
        DataError: naming the first such column.
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
        DataError: there is a header at most.
    """
    if frame.empty:
        msg = f"{path}: the table has no rows, only column names."
        raise DataError(msg)
