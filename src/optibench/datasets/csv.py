"""A CSV file: comma-separated, UTF-8, column names in the first line.

It may be compressed (.gz, .bz2, .xz).
"""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.datasets.csv_errors import (
    empty_file,
    refuse_other_separators,
    undecodable,
    uneven_rows,
)
from optibench.datasets.fields import DatasetFields
from optibench.datasets.files import existing_file, refuse_duplicates, require_rows
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from optibench.contracts import BlockFiles
    from optibench.records import Table

OPENERS: Mapping[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Csv(DatasetFields):
    """One CSV file; empty cells, NA, NaN, null and None are missing values."""

    name: str = "csv"

    def load(self, seed: int) -> Table:
        """Read the file; `seed` draws rows where `n_samples` is below their number.

        Raises:
            ConfigError: no path is given.
            DataError: there is no such file, or it is not a table that can be used.
        """
        path = existing_file(self)
        return select(_read(path), self, str(self.path), seed)

    def in_blocks(self, *, classes: bool) -> BlockFiles:
        """Return the file in blocks of bytes."""
        from optibench.datasets.csv_blocks import CsvBlocks

        return CsvBlocks.open(self, classes=classes)


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        with warnings.catch_warnings():
            # index_col=False: otherwise pandas takes surplus first cells for row names.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, low_memory=False, index_col=False)
    except pd.errors.EmptyDataError as error:
        raise empty_file(path) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise uneven_rows(path, str(error).strip().rstrip(".")) from error
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise undecodable(path, error) from error
    _check(path, [str(cell) for cell in header.iloc[0]], frame)
    return frame


def _check(path: Path, header: list[str], frame: pd.DataFrame) -> None:
    refuse_other_separators(path, header)
    refuse_duplicates(path, header)
    require_rows(path, frame)
    # pandas fills rows that are too short with missing values.
    if len(header) > 1 and frame.iloc[:, -1].isna().any():
        _refuse_short_rows(path, len(header))


def _refuse_short_rows(path: Path, n_columns: int) -> None:
    """Read the lines again to find out whether a row is too short or its last value is missing."""
    opener = OPENERS.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, cells in enumerate(csv.reader(lines), start=1):
            if cells and len(cells) < n_columns:
                detail = f"the first line names {n_columns} columns; row {number} has {len(cells)}"
                raise uneven_rows(path, detail)
