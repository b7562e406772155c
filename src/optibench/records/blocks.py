"""A table in blocks, for fits that use all workers at once: nobody holds it whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

HELD_OUT = -1  # the part of rows that no search sees; the others are numbered like the folds


@dataclass(frozen=True)
class Block:
    """Consecutive rows that one call reads.

    Attributes:
        file: its name, relative to the table's folder; that of the data set for one in memory.
        first_row: where the block begins in its file: the row's number, for CSV the line's.
        n_rows: how many rows; for CSV at most (lines).
        place: what the reader needs to find it: a row group, or the bytes from and to.
        constants: columns that the folder's name holds (`year=2020/`), with their values.
    """

    file: str
    first_row: int
    n_rows: int
    place: tuple[int, ...] = ()
    constants: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Rows:
    """Encoded rows of a block.

    Attributes:
        X: (n, n_features) float64, unscaled.  y: (n,) codes or values, or None for clustering.
    """

    X: NDArray[np.float64]
    y: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of one part, as a worker holds them.

    Attributes:
        part: the fold that they validate, or HELD_OUT.
        X: (n, n_features), scaled where scaling is on.  y: (n,) or None.
        order: (n,) uint64, the rows' place in the seeded order in which they are sampled.
    """

    part: int
    X: NDArray[Any]
    y: NDArray[Any] | None
    order: NDArray[np.uint64]

    def below(self, limit: int) -> Chunk:
        """The rows whose order is below `limit`."""
        wanted = self.order < limit
        return self if wanted.all() else self._take(wanted)

    def in_order(self) -> Chunk:
        """The same rows, sorted by their order: the same however they were dealt out."""
        import numpy as np

        return self._take(np.argsort(self.order))

    @staticmethod
    def join(chunks: Sequence[Chunk]) -> Chunk:
        """One chunk of several; its part is the first one's."""
        import numpy as np

        if len(chunks) == 1:
            return chunks[0]
        ys = [chunk.y for chunk in chunks if chunk.y is not None]
        return Chunk(
            chunks[0].part,
            np.concatenate([chunk.X for chunk in chunks]),
            np.concatenate(ys) if ys else None,
            np.concatenate([chunk.order for chunk in chunks]),
        )

    def _take(self, rows: NDArray[Any]) -> Chunk:
        y = None if self.y is None else self.y[rows]
        return Chunk(self.part, self.X[rows], y, self.order[rows])
