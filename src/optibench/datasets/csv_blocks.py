"""A CSV file in blocks of bytes, so that no process has to hold the whole file.

A block contains the lines that begin in its bytes. The number of a row is the first byte of its
block plus its place in the block. The length of the blocks does not depend on the number of
workers, so that a row has the same number on every engine.
"""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.datasets.columns import kind_of
from optibench.datasets.csv_errors import (
    SHOWN_CHARACTERS,
    empty_file,
    refuse_other_separators,
    undecodable,
    uneven_rows,
)
from optibench.datasets.files import existing_file, no_rows, refuse_duplicates, refuse_sampling
from optibench.datasets.selection import select
from optibench.errors import DataError
from optibench.records import Block, ColumnKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from optibench.datasets.fields import DatasetFields
    from optibench.records import Table

BLOCK_BYTES = 8 * 2**20  # a worker holds a few parsed blocks at a time
HEADER_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class CsvBlocks:
    """One CSV file; implements `contracts.BlockFiles`.

    Attributes:
        path: absolute; every worker opens it.
        labels: kept columns whose cells stay text until all of them are known.
        header: all column names; `roles` has the kept ones.
        first_byte: position of the first row.
        n_bytes: size of the file.
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
        """Read the first line.

        Args:
            fields: the keys of the dataset.
            classes: whether the target holds class labels.

        Raises:
            ConfigError, DataError: as `Csv.load`, and for a compressed file.
        """
        import pandas as pd

        refuse_sampling(fields)
        path = existing_file(fields)
        header, first_byte = _header(path)
        refuse_duplicates(path, header)
        empty = pd.DataFrame({name: pd.Series(dtype=object) for name in header})
        roles = select(empty, fields, str(fields.path), seed=0)
        n_bytes = path.stat().st_size
        if first_byte >= n_bytes:
            raise no_rows(path)
        target = (roles.target,) if classes and roles.target is not None else ()
        labels = (*roles.categorical, *target)
        return cls(path.absolute(), roles, labels, tuple(header), first_byte, n_bytes)

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks; their rows are not counted yet, and `n_rows` is their size in bytes."""
        starts = range(self.first_byte, self.n_bytes, self.block_bytes)
        ends = (*starts[1:], self.n_bytes)
        return [
            Block(self.path.name, start, end - start, (start, end))
            for start, end in zip(starts, ends, strict=True)
        ]

    @property
    def table_bytes(self) -> int:
        """The size of the text: a number and its comma have about 8 characters."""
        return self.n_bytes * len(self.roles.features) // len(self.header)

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """Yield the kept columns of a block, with columns of labels as text.

        Raises:
            DataError: the lines are not rows of this table.
        """
        lines = self._lines(*block.place)
        if not lines.strip():
            return
        _refuse_broken_cells(self.path, lines)
        frame = self._parse(lines)
        if len(self.header) > 1 and frame.iloc[:, -1].isna().any():
            self._refuse_short_rows(lines)
        yield frame[list(self.roles.frame.columns)]

    def interpret(self, kind: ColumnKind, labels: Sequence[Any]) -> tuple[ColumnKind, list[Any]]:
        """Return the values that pandas reads from all texts of a column."""
        import pandas as pd

        del kind
        if not labels:
            return ColumnKind.EMPTY, []
        written = io.StringIO()
        csv.writer(written, quoting=csv.QUOTE_ALL).writerows([text] for text in labels)
        written.seek(0)
        values = pd.read_csv(written, header=None, low_memory=False, skip_blank_lines=False)[0]
        return kind_of(values), values.tolist()

    def _lines(self, start: int, end: int) -> bytes:
        """Return the lines that begin in these bytes."""
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
                # index_col=False: otherwise pandas takes surplus first cells for row names.
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
            raise uneven_rows(self.path, str(error).strip().rstrip(".")) from error
        except UnicodeDecodeError as error:
            raise undecodable(self.path, error) from error

    def _refuse_short_rows(self, lines: bytes) -> None:
        for cells in csv.reader(io.StringIO(lines.decode("utf-8"))):
            if cells and len(cells) < len(self.header):
                detail = (
                    f"the first line names {len(self.header)} columns; the row "
                    f"{','.join(cells)[:SHOWN_CHARACTERS]!r} has {len(cells)}"
                )
                raise uneven_rows(self.path, detail)


def _header(path: Path) -> tuple[list[str], int]:
    """Return the names in the first line that is not blank, and the start of the next line."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    if start[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7"):
        msg = (
            f"{path}: a compressed file cannot be read in blocks (backend.parallelism=data). "
            "Unpack it, write it as Parquet, or choose backend.parallelism=trials."
        )
        raise DataError(msg)
    at = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    for line in start[at:].splitlines(keepends=True):
        at += len(line)
        if line.strip():
            return _names(path, line), at
    raise empty_file(path)


def _names(path: Path, line: bytes) -> list[str]:
    _refuse_broken_cells(path, line)
    try:
        (names,) = csv.reader([line.decode("utf-8").strip("\r\n")])
    except UnicodeDecodeError as error:
        raise undecodable(path, error) from error
    refuse_other_separators(path, names)
    return names


def _refuse_broken_cells(path: Path, lines: bytes) -> None:
    """Refuse cells with line breaks, which may extend over the end of a block."""
    if b'"' not in lines:
        return
    for line in lines.splitlines():
        if line.count(b'"') % 2:
            text = line[:SHOWN_CHARACTERS].decode("utf-8", "replace")
            msg = (
                f"{path}: the line {text!r} has a cell with a line break, which cannot be read "
                "in blocks (backend.parallelism=data). Write the table as Parquet, or choose "
                "backend.parallelism=trials."
            )
            raise DataError(msg)
