"""A CSV file in blocks of bytes, so that nobody has to hold it whole.

A block holds the lines that begin in its bytes. Rows are numbered by the byte at which their
block begins plus their place in it: blocks are of one length whatever the number of workers, so
that a row has the same number on every engine.
"""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.datasets.columns import Kind, kind_of
from optibench.datasets.files import existing_path, refuse_duplicates, refuse_sampling
from optibench.datasets.selection import select
from optibench.errors import DataError
from optibench.records import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from optibench.datasets.fields import DatasetFields
    from optibench.records import Table

BLOCK_BYTES = 8 * 2**20  # a few of them, parsed, are in a worker's hands at a time
HEADER_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class CsvBlocks:
    """Implements `contracts.BlockFiles`.

    Attributes:
        path: absolute; every worker opens it.
        labels: kept columns whose cells stay text until all are known.
        header: all column names; `roles` has those that are kept.
        first_byte: where the first row begins.
        n_bytes: of the file.
    """

    path: Path
    roles: Table
    labels: tuple[str, ...]
    header: tuple[str, ...]
    first_byte: int
    n_bytes: int
    block_bytes: int = BLOCK_BYTES

    @classmethod
    def open(cls, fields: DatasetFields, *, classes: bool) -> CsvBlocks:
        """Read the first line; `classes` says that the target holds labels.

        Raises:
            ConfigError, DataError: as `Csv.load`, and for a compressed file.
        """
        import pandas as pd

        refuse_sampling(fields)
        path = existing_path(fields)
        if path.is_dir():
            msg = f"dataset.path={fields.path!r} is a directory; dataset=csv reads one file."
            raise DataError(msg)
        header, first_byte = _header(path)
        refuse_duplicates(path, header)
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in header})
        roles = select(empty, fields, str(fields.path), seed=0)
        n_bytes = path.stat().st_size
        if first_byte >= n_bytes:
            msg = f"{path}: the table has no rows, only column names."
            raise DataError(msg)
        target = (roles.target,) if classes and roles.target is not None else ()
        labels = (*roles.categorical, *target)
        return cls(path.absolute(), roles, labels, tuple(header), first_byte, n_bytes)

    @property
    def blocks(self) -> Sequence[Block]:
        """Their rows are not counted yet: `n_rows` is their bytes."""
        starts = range(self.first_byte, self.n_bytes, self.block_bytes)
        ends = (*starts[1:], self.n_bytes)
        return [
            Block(self.path.name, start, end - start, (start, end))
            for start, end in zip(starts, ends, strict=True)
        ]

    @property
    def table_bytes(self) -> int:
        """As many as the text: a number and its comma take about 8 characters."""
        return self.n_bytes * len(self.roles.features) // len(self.header)

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """The kept columns of a block; those that hold labels as text.

        Raises:
            DataError: the lines are no rows of this table.
        """
        lines = self._lines(*block.place)
        if not lines.strip():
            return
        _refuse_broken_cells(self.path, lines)
        frame = self._parse(lines)
        if len(self.header) > 1 and frame.iloc[:, -1].isna().any():
            self._refuse_short_rows(lines)
        yield frame[list(self.roles.frame.columns)]

    def interpret(self, kind: Kind, labels: Sequence[Any]) -> tuple[Kind, list[Any]]:
        """What the texts of a column mean when pandas sees all of them."""
        import pandas as pd

        del kind
        if not labels:
            return Kind.EMPTY, []
        written = io.StringIO()
        csv.writer(written, quoting=csv.QUOTE_ALL).writerows([text] for text in labels)
        written.seek(0)
        values = pd.read_csv(written, header=None, low_memory=False, skip_blank_lines=False)[0]
        return kind_of(values), values.tolist()

    def _lines(self, start: int, end: int) -> bytes:
        """The lines that begin in these bytes."""
        with self.path.open("rb") as file:
            if start > self.first_byte:
                file.seek(start - 1)
                file.readline()
            else:
                file.seek(start)
            lines = file.read(max(0, end - file.tell()))
            if lines and not lines.endswith(b"\n"):
                lines += file.readline()
            return lines

    def _parse(self, lines: bytes) -> pd.DataFrame:
        import pandas as pd

        try:
            with warnings.catch_warnings():
                # index_col=False: pandas would take surplus first cells for row names.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return pd.read_csv(
                    io.BytesIO(lines),
                    header=None,
                    names=list(self.header),
                    index_col=False,
                    dtype=dict.fromkeys(self.labels, str),
                    low_memory=False,
                )
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            told = str(error).strip().rstrip(".")
            msg = f"{self.path}: the rows do not have equally many cells: {told}."
            raise DataError(msg) from error
        except UnicodeDecodeError as error:
            msg = f"{self.path}: cannot be read as CSV in UTF-8: {error}."
            raise DataError(msg) from error

    def _refuse_short_rows(self, lines: bytes) -> None:
        for cells in csv.reader(io.StringIO(lines.decode("utf-8"))):
            if cells and len(cells) < len(self.header):
                msg = (
                    f"{self.path}: the rows do not have equally many cells: the first line names "
                    f"{len(self.header)} columns; the row {','.join(cells)[:60]!r} has "
                    f"{len(cells)}."
                )
                raise DataError(msg)


def _header(path: Path) -> tuple[list[str], int]:
    """The names in the first line that is not blank, and where the next one begins."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    if start[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7"):
        msg = (
            f"{path}: a compressed file cannot be read in blocks, which backend.parallelism=data "
            "does. Unpack it, write it as Parquet, or take backend.parallelism=trials."
        )
        raise DataError(msg)
    at = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    for line in start[at:].splitlines(keepends=True):
        at += len(line)
        if line.strip():
            return _names(path, line), at
    msg = f"{path}: the file is empty; a line of column names and rows are needed."
    raise DataError(msg)


def _names(path: Path, line: bytes) -> list[str]:
    _refuse_broken_cells(path, line)
    try:
        (names,) = csv.reader([line.decode("utf-8").strip("\r\n")])
    except UnicodeDecodeError as error:
        msg = f"{path}: cannot be read as CSV in UTF-8: {error}."
        raise DataError(msg) from error
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        msg = (
            f"{path}: the cells are not separated by commas (the first line is "
            f"{names[0][:60]!r}...); convert the file."
        )
        raise DataError(msg)
    return names


def _refuse_broken_cells(path: Path, lines: bytes) -> None:
    """A cell with a line break may reach over the end of a block."""
    if b'"' not in lines:
        return
    for line in lines.splitlines():
        if line.count(b'"') % 2:
            text = line[:60].decode("utf-8", "replace")
            msg = (
                f"{path}: the line {text!r} has a cell with a line break in it, which cannot be "
                "read in blocks (backend.parallelism=data). Write the table as Parquet, or take "
                "backend.parallelism=trials."
            )
            raise DataError(msg)
