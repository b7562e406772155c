"""Parquet files in blocks of one row group or less, so that no process has to hold them all.

Reading a block starts at the beginning of its row group and discards the rows before the block.
This is expensive only if row groups are much larger than a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optibench.datasets.files import (
    existing_path,
    no_parquet_columns,
    no_rows,
    refuse_duplicates,
    refuse_sampling,
    unreadable_parquet,
)
from optibench.datasets.selection import select
from optibench.records import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from optibench.datasets.fields import DatasetFields
    from optibench.records import ColumnKind, Table

VALUES_AT_ONCE = 2**20  # decoded at a time: 8 MiB of float64
BLOCK_VALUES = 2**22  # most values in a block: 32 MiB of float64
FEWEST_BLOCKS = 8  # if there are enough rows, so that several workers get some


@dataclass(frozen=True, eq=False)
class ParquetBlocks:
    """Parquet files; implements `contracts.BlockFiles`.

    Attributes:
        schema: pyarrow's schema of the whole table, with the columns of names like `year=2020/`.
        files: path and partition expression of each file, by its name within the directory.
        blocks: the place of a block is its row group, and its first and last row in it.
    """

    roles: Table
    schema: Any
    files: Mapping[str, tuple[str, Any]]
    blocks: Sequence[Block]

    @classmethod
    def open(cls, fields: DatasetFields) -> ParquetBlocks:
        """Read the files' footers.

        Raises:
            ConfigError, DataError: as `Parquet.load`.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        refuse_sampling(fields)
        path = existing_path(fields)
        try:
            found = pq.ParquetDataset(path)
            refuse_duplicates(path, found.schema.names)
            files, blocks = _look_at(path, found.fragments, len(found.schema.names))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable_parquet(path, error) from error
        empty: pd.DataFrame = found.schema.empty_table().to_pandas()
        if not found.schema.names:
            raise no_parquet_columns(path)
        if not blocks:
            raise no_rows(path)
        empty.columns = empty.columns.map(str)
        roles = select(empty.reset_index(drop=True), fields, str(fields.path), seed=0)
        return cls(roles, found.schema, files, blocks)

    @property
    def table_bytes(self) -> int:
        """Size of the table as a matrix of float64."""
        return 8 * len(self.roles.features) * sum(block.n_rows for block in self.blocks)

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """Yield the kept columns of a block, some rows at a time.

        Raises:
            DataError: the file cannot be read, or its columns differ from those of the first file.
        """
        import pyarrow as pa
        from pyarrow import dataset, fs

        path, constants = self.files[block.file]
        group, begin, end = block.place
        columns = list(self.roles.frame.columns)
        try:
            fragment = dataset.ParquetFileFormat().make_fragment(
                path, fs.LocalFileSystem(), constants, row_groups=[group]
            )
            batches = fragment.to_batches(
                schema=self.schema,
                columns=columns,
                batch_size=max(1, VALUES_AT_ONCE // len(columns)),
                batch_readahead=1,
                use_threads=False,
            )
            first = 0
            for batch in batches:
                rows = batch[max(begin - first, 0) : max(end - first, 0)]
                if len(rows):
                    yield pa.Table.from_batches([rows]).to_pandas(ignore_metadata=True)
                first += len(batch)
                if first >= end:
                    return
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable_parquet(path, error) from error
        finally:
            pa.default_memory_pool().release_unused()  # it counts towards a worker's memory limit

    def interpret(self, kind: ColumnKind, labels: Sequence[Any]) -> tuple[ColumnKind, list[Any]]:
        """Return both unchanged: the file has the types of its values."""
        return kind, list(labels)


def _look_at(
    path: Path, fragments: Sequence[Any], width: int
) -> tuple[dict[str, tuple[str, Any]], list[Block]]:
    """Return path and partition expression of each file, and the blocks."""
    files: dict[str, tuple[str, Any]] = {}
    blocks: list[Block] = []
    n_rows = sum(group.num_rows for fragment in fragments for group in fragment.row_groups)
    most = max(1, min(BLOCK_VALUES // max(1, width), n_rows // FEWEST_BLOCKS))
    for fragment in fragments:
        inside = Path(fragment.path)
        name = inside.relative_to(path).as_posix() if path.is_dir() else inside.name
        files[name] = (str(inside.absolute()), fragment.partition_expression)
        first = 0
        for group in fragment.row_groups:
            for begin in range(0, group.num_rows, most):
                end = min(begin + most, group.num_rows)
                blocks.append(Block(name, first + begin, end - begin, (group.id, begin, end)))
            first += group.num_rows
    return files, blocks
