"""Errors in a CSV file, the same whether it is read whole or in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OTHER_SEPARATORS = ";\t|"
SHOWN_CHARACTERS = 60


def empty_file(path: Path) -> DataError:
    """Return the error for a file without any line that is not blank."""
    return DataError(f"{path}: the file is empty; it needs a line of column names, and rows.")


def uneven_rows(path: Path, detail: str) -> DataError:
    """Return the error for rows whose number of cells differs from the first line's."""
    return DataError(f"{path}: the rows do not have equally many cells: {detail}.")


def undecodable(path: Path, error: Exception) -> DataError:
    """Return the error for bytes that are not UTF-8 or not the compression of the ending."""
    return DataError(f"{path}: cannot be read as CSV in UTF-8: {error}.")


def refuse_other_separators(path: Path, header: Sequence[str]) -> None:
    """Refuse a first line whose cells do not seem to be separated by commas.

    Raises:
        DataError: its one cell has semicolons, tabs or bars in it.
    """
    if len(header) == 1 and any(mark in header[0] for mark in OTHER_SEPARATORS):
        start = header[0][:SHOWN_CHARACTERS]
        msg = (
            f"{path}: the cells are not separated by commas (the first line is {start!r}...); "
            "convert the file."
        )
        raise DataError(msg)
