"""Tables that are read block by block, so that no process has to hold them whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from optibench.records import Block, Chunk, Rows

if TYPE_CHECKING:
    import pandas as pd

    from optibench.records import ColumnKind, Table

Shares = Sequence[Sequence[Sequence[Block]]]  # worker -> batch -> blocks


class BlockFiles(Protocol):
    """The files of a table. Each worker gets a copy of this object and opens the files itself."""

    @property
    def roles(self) -> Table:
        """The table without rows: the kept columns and their roles."""

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks of the whole table, in order."""

    @property
    def table_bytes(self) -> int:
        """The approximate size of the table as a matrix of float64."""

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """Yield the rows of a block, unencoded, a limited number of rows at a time.

        Raises:
            DataError: the rows cannot be read.
        """

    def interpret(self, kind: ColumnKind, labels: Sequence[Any]) -> tuple[ColumnKind, list[Any]]:
        """Return the kind of a label column and the value of each label, once all are known.

        Args:
            kind: the kind that single blocks show.
            labels: the distinct labels as `frames` gives them.
        """


class PartitionedTable(Protocol):
    """A table that is read block by block; it is shared with every worker."""

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks of the whole table, in order."""

    def read(self, block: Block) -> Iterator[Rows]:
        """Yield the encoded rows of one block, a limited number of rows at a time."""


ReadChunks = Callable[[PartitionedTable, Sequence[Block]], list[Chunk]]
