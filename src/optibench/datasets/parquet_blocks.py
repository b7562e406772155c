"""Parquet files in blocks, a row group or a piece of one, so that nobody has to hold all.

A piece is read from its row group's beginning, what comes before it thrown away: dear only where
row groups are much larger than a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optibench.datasets.files import existing_path, refuse_duplicates, refuse_sampling
from optibench.datasets.selection import select
from optibench.errors import DataError
from optibench.records import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from optibench.datasets.columns import Kind
    from optibench.datasets.fields import DatasetFields
    from optibench.records import Table

VALUES_AT_ONCE = 2**20  # that are decoded at a time: 8 MiB of float64
BLOCK_VALUES = 2**22  # of a block, at most: 32 MiB of float64
FEWEST_BLOCKS = 8  # where there are rows enough, so that several workers have some


@dataclass(frozen=True, eq=False)
class ParquetBlocks:
    """Implements `contracts.BlockFiles`.

    Attributes:
        schema: pyarrow's, of the whole table; columns of the folders' names (`year=2020/`) too.
        files: for each file, by its name within the folder, its path and what its folders say.
        blocks: whose place is a row group, and where they begin and end in it.
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
            msg = f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}"
            raise DataError(msg) from error
        empty: pd.DataFrame = found.schema.empty_table().to_pandas()
        if not found.schema.names:
            msg = f"{path}: no Parquet file with columns is in there."
            raise DataError(msg)
        if not blocks:
            msg = f"{path}: the table has no rows, only column names."
            raise DataError(msg)
        empty.columns = empty.columns.map(str)
        roles = select(empty.reset_index(drop=True), fields, str(fields.path), seed=0)
        return cls(roles, found.schema, files, blocks)

    @property
    def table_bytes(self) -> int:
        """Of all rows."""
        return 8 * len(self.roles.features) * sum(block.n_rows for block in self.blocks)

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """The kept columns of a block, some rows at a time.

        Raises:
            DataError: the file cannot be read, or has other columns than the first one.
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
            msg = f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}"
            raise DataError(msg) from error
        finally:
            pa.default_memory_pool().release_unused()  # a worker's limit counts what it keeps

    def interpret(self, kind: Kind, labels: Sequence[Any]) -> tuple[Kind, list[Any]]:
        """Values have their types in the file."""
        return kind, list(labels)


def _look_at(
    path: Path, fragments: Sequence[Any], width: int
) -> tuple[dict[str, tuple[str, Any]], list[Block]]:
    """Each file's path and constants, and the blocks."""
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
