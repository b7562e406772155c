"""Tables in files that are read in blocks and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optibench.contracts import BlockFiles
    from optibench.datasets.encoding import Encoder
    from optibench.records import Block, Rows


@dataclass(frozen=True, eq=False)
class FilesTable:
    """Files and their encoder; implements `contracts.PartitionedTable`.

    Attributes:
        blocks: the blocks with their numbers of rows.
    """

    files: BlockFiles
    blocks: Sequence[Block]
    encoder: Encoder

    def read(self, block: Block) -> Iterator[Rows]:
        """Yield the encoded rows of a block, some at a time."""
        for frame in self.files.frames(block):
            yield self.encoder.rows(frame)
