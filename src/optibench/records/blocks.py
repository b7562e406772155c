"""A table in blocks, for fits that use all workers at once: nobody holds it whole."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

ARRAYS = ("X", "y", "order")
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

    def targets(self, limit: int) -> Chunk:
        """The same without features, which classes and numbers are scored without."""
        return Chunk(self.part, self.X[:, :0], self.y, self.order).below(limit)

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

    def mapped(self) -> NDArray[Any]:
        """Its features."""
        return self.X

    @property
    def shape(self) -> tuple[int, int]:
        """Of its features."""
        n_rows, n_features = self.X.shape
        return n_rows, n_features

    def __sizeof__(self) -> int:
        """Bytes of what it holds, for engines that spill."""
        return sum(array.nbytes for array in (self.X, self.y, self.order) if array is not None)

    def stored(self, folder: str) -> StoredChunk:
        """The same rows in files within `folder`."""
        import numpy as np

        own = tempfile.mkdtemp(prefix="optibench-chunk-", dir=folder)
        for name in ARRAYS:
            if (array := getattr(self, name)) is not None:
                np.save(Path(own) / f"{name}.npy", array)
        return StoredChunk(self.part, self.shape, own)

    def _take(self, rows: NDArray[Any]) -> Chunk:
        y = None if self.y is None else self.y[rows]
        return Chunk(self.part, self.X[rows], y, self.order[rows])


class StoredChunk:
    """A `Chunk` whose arrays lie in files of this process, and are read each time.

    The files go with it. In another process it arrives as a plain chunk.
    """

    def __init__(self, part: int, shape: tuple[int, int], folder: str) -> None:
        """Made by `Chunk.stored`."""
        self.part = part
        self.shape = shape
        self.folder = Path(folder)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __sizeof__(self) -> int:
        """Bytes in its files: what moving it would cost, in time and in memory."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    @property
    def X(self) -> NDArray[Any]:
        """(n, n_features)."""
        return self._read("X")

    @property
    def y(self) -> NDArray[Any] | None:
        """(n,) or None."""
        return self._read("y") if (self.folder / "y.npy").exists() else None

    @property
    def order(self) -> NDArray[np.uint64]:
        """(n,)."""
        return self._read("order")

    def mapped(self) -> NDArray[Any]:
        """Its features, whose pages come into memory as they are used."""
        return self._read("X", mmap_mode="r")

    def below(self, limit: int) -> Chunk:
        """The rows whose order is below `limit`, in memory."""
        return self.loaded().below(limit)

    def targets(self, limit: int) -> Chunk:
        """The same without features, which are not read."""
        import numpy as np

        nothing = np.empty((self.shape[0], 0))
        return Chunk(self.part, nothing, self.y, self.order).below(limit)

    def loaded(self) -> Chunk:
        """All of it, in memory."""
        return Chunk(self.part, self.X, self.y, self.order)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels by value."""
        return Chunk, (self.part, self.X, self.y, self.order)

    def _read(self, name: str, **how: Any) -> NDArray[Any]:
        import numpy as np

        array: NDArray[Any] = np.load(self.folder / f"{name}.npy", **how)
        return array
