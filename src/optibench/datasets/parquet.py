"""A Parquet file, or a directory of Parquet files that make one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields
from optibench.datasets.files import (
    existing_path,
    no_parquet_columns,
    refuse_duplicates,
    require_rows,
    unreadable_parquet,
)
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from optibench.contracts import BlockFiles
    from optibench.records import Table


@dataclass(frozen=True)
class Parquet(DatasetFields):
    """One table, read with pyarrow; names such as `year=2020/` in a directory become columns."""

    name: str = "parquet"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number.

        Raises:
            ConfigError: no path is given.
            DataError: there is no such file, or it is not a table that can be used.
        """
        path = existing_path(self)
        return select(_read(path), self, str(self.path), seed)

    def in_blocks(self, *, classes: bool) -> BlockFiles:
        """Return the files in blocks of row groups."""
        from optibench.datasets.parquet_blocks import ParquetBlocks

        del classes  # the file has the types of its values
        return ParquetBlocks.open(self)


def _read(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        files = pq.ParquetDataset(path)
        refuse_duplicates(path, files.schema.names)
        table = files.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable_parquet(path, error) from error
    if not table.column_names:
        raise no_parquet_columns(path)
    frame: pd.DataFrame = table.to_pandas().reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    require_rows(path, frame)
    return frame
