"""Turn blocks of a table into the chunks that workers hold, the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.evaluation.parts import PartPlan, part_numbers, row_keys, sampling_order
from optibench.records import Block, Chunk, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from optibench.contracts import PartitionedTable

FEWEST_BLOCKS = 64  # enough to divide them evenly between as many workers
BLOCK_BYTES = 32 * 2**20  # of float64 values; a worker handles a few blocks at a time
BATCH_BYTES = 32 * 2**20  # of float64 values that are read, kept and spilled together


@dataclass(frozen=True, eq=False)
class TableInMemory:
    """Implements `contracts.PartitionedTable` for a table that the driver has loaded."""

    name: str
    X: NDArray[np.float64]
    y: NDArray[Any] | None

    @property
    def blocks(self) -> Sequence[Block]:
        """Blocks of at most BLOCK_BYTES, at least FEWEST_BLOCKS of them if rows suffice."""
        rows, width = self.X.shape
        step = max(1, min(BLOCK_BYTES // (8 * width), rows // FEWEST_BLOCKS))
        return [Block(self.name, first, min(step, rows - first)) for first in range(0, rows, step)]

    def read(self, block: Block) -> Iterator[Rows]:
        """Yield the rows of one block as a view."""
        rows = slice(block.first_row, block.first_row + block.n_rows)
        yield Rows(self.X[rows], None if self.y is None else self.y[rows])


@dataclass(frozen=True, eq=False)
class ChunkReader:
    """Reads blocks, divides their rows between parts, and scales them. Implements `ReadChunks`.

    Attributes:
        centre, scale: mean and scale of each feature, (n_features,), or None where scaling is off.
        dtype: type of the features; XGBoost converts to float32 anyway.
    """

    plan: PartPlan
    centre: NDArray[np.float64] | None
    scale: NDArray[np.float64] | None
    dtype: str

    def __call__(self, table: PartitionedTable, batch: Sequence[Block]) -> list[Chunk]:
        """Return one chunk for each part that has rows in these blocks."""
        pieces: dict[int, list[Chunk]] = {}
        for block in batch:
            first_row = block.first_row
            for rows in table.read(block):
                for chunk in self._split(rows, block.file, first_row):
                    pieces.setdefault(chunk.part, []).append(chunk)
                first_row += len(rows.X)
        return [Chunk.join(chunks) for _, chunks in sorted(pieces.items())]

    def _split(self, rows: Rows, file: str, first_row: int) -> list[Chunk]:
        keys = row_keys(self.plan.seed, file, first_row, len(rows.X))
        parts, order = part_numbers(keys, self.plan), sampling_order(keys)
        chunks = []
        for part in np.unique(parts):
            selected = np.flatnonzero(parts == part)
            y = None if rows.y is None else rows.y[selected]
            X = self._scaled(rows.X[selected])
            chunks.append(Chunk(int(part), X, y, order[selected]))
        return chunks

    def _scaled(self, X: NDArray[np.float64]) -> NDArray[Any]:
        """Scale like scikit-learn's StandardScaler, to the last bit."""
        if self.centre is not None and self.scale is not None:
            X = X - self.centre
            X /= self.scale
        return np.ascontiguousarray(X, dtype=self.dtype)


def shares_of(blocks: Sequence[Block], workers: int, width: int) -> list[list[list[Block]]]:
    """Divide blocks between workers in order, with about equal numbers of rows.

    Args:
        blocks: blocks of the table, in order.
        workers: number of workers.
        width: values of a row.

    Returns:
        The batches of each worker; fewer shares than workers where there are fewer blocks.
    """
    total = sum(block.n_rows for block in blocks)
    shares: list[list[Block]] = [[] for _ in range(workers)]
    assigned = 0
    for block in blocks:
        middle = assigned + block.n_rows / 2
        shares[min(int(middle * workers / total), workers - 1)].append(block)
        assigned += block.n_rows
    return [batches_of(share, width) for share in shares if share]


def batches_of(blocks: Sequence[Block], width: int) -> list[list[Block]]:
    """Group consecutive blocks into batches of about BATCH_BYTES; a larger block stays alone."""
    batches: list[list[Block]] = []
    rows, limit = 0, BATCH_BYTES // (8 * width)
    for block in blocks:
        if not batches or rows + block.n_rows > limit:
            batches.append([])
            rows = 0
        batches[-1].append(block)
        rows += block.n_rows
    return batches
