"""Tables in files that are read block by block: what a format gives, and the encoded table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from optibench.datasets.columns import Kind
    from optibench.datasets.encoding import Encoder
    from optibench.records import Block, Rows, Table


class BlockFiles(Protocol):
    """The files of a table. Workers get a copy each, and open the files themselves."""

    @property
    def roles(self) -> Table:
        """The table without rows: its kept columns, and what they are for."""

    @property
    def blocks(self) -> Sequence[Block]:
        """All of the table, in order."""

    @property
    def table_bytes(self) -> int:
        """About how large it is as a matrix of float64."""

    def frames(self, block: Block) -> Iterator[pd.DataFrame]:
        """The rows of a block as they are in the file, some at a time.

        Raises:
            DataError: they cannot be read.
        """

    def interpret(self, kind: Kind, labels: Sequence[Any]) -> tuple[Kind, list[Any]]:
        """What a column of labels holds, and the value of each label, once all are known.

        Args:
            kind: what it holds as far as single blocks tell.
            labels: the distinct ones, as `frames` gives them.
        """


@dataclass(frozen=True, eq=False)
class FilesTable:
    """Implements `contracts.PartitionedTable` once it is known how to encode the files.

    Attributes:
        blocks: with their rows counted.
    """

    files: BlockFiles
    blocks: Sequence[Block]
    encoder: Encoder

    def read(self, block: Block) -> Iterator[Rows]:
        """The encoded rows of a block, some at a time."""
        for frame in self.files.frames(block):
            yield self.encoder.rows(frame)
