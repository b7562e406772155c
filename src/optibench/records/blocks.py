"""A table in blocks, for data-parallel fits: no process holds it whole."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

HELD_OUT = -1  # the part that no search sees; the others are numbered like the folds


@dataclass(frozen=True)
class Block:
    """Consecutive rows that one call reads.

    Attributes:
        file: file name, relative to the table's folder; the dataset's name for a table in memory.
        first_row: number of the block's first row in its file; for CSV, of its first line.
        n_rows: number of rows; for CSV the number of lines, which is an upper limit.
        place: position for the reader: a row group, or the range of its bytes.
    """

    file: str
    first_row: int
    n_rows: int
    place: tuple[int, ...] = ()


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
    """Rows of one part in the memory of a worker.

    Attributes:
        part: number of the fold that they validate, or HELD_OUT.
        X: (n, n_features), scaled if scaling is on.  y: (n,) or None.
        order: (n,) uint64, position of the rows in the seeded sampling order.
    """

    part: int
    X: NDArray[Any]
    y: NDArray[Any] | None
    order: NDArray[np.uint64]

    def below(self, limit: int) -> Chunk:
        """Return the rows whose order is below `limit`."""
        wanted = self.order < limit
        return self if wanted.all() else self._take(wanted)

    def targets(self, limit: int) -> Chunk:
        """Return these rows without features, which scores with a target do not need."""
        return Chunk(self.part, self.X[:, :0], self.y, self.order).below(limit)

    def in_order(self) -> Chunk:
        """Return the rows sorted by their order, which is independent of the workers."""
        import numpy as np

        return self._take(np.argsort(self.order))

    @staticmethod
    def join(chunks: Sequence[Chunk]) -> Chunk:
        """Join chunks into one; its part is that of the first."""
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
        """Return the features, (n, n_features)."""
        return self.X

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the features."""
        n_rows, n_features = self.X.shape
        return n_rows, n_features

    def __sizeof__(self) -> int:
        """Return the bytes of the arrays, for engines that spill."""
        return sum(array.nbytes for array in (self.X, self.y, self.order) if array is not None)

    def stored(self, folder: str) -> StoredChunk:
        """Write the rows to files in a new folder within `folder`."""
        import numpy as np

        chunk_folder = tempfile.mkdtemp(prefix="optibench-chunk-", dir=folder)
        for name, array in (("X", self.X), ("y", self.y), ("order", self.order)):
            if array is not None:
                np.save(Path(chunk_folder) / f"{name}.npy", array)
        return StoredChunk(self.part, self.shape, chunk_folder)

    def _take(self, rows: NDArray[Any]) -> Chunk:
        y = None if self.y is None else self.y[rows]
        return Chunk(self.part, self.X[rows], y, self.order[rows])


class StoredChunk:
    """A `Chunk` whose arrays are in files of this process and are read at each access.

    The files are deleted together with the object. Pickled, it becomes a `Chunk`.
    """

    def __init__(self, part: int, shape: tuple[int, int], folder: str) -> None:
        """Take over the files that `Chunk.stored` has written to `folder`."""
        self.part = part
        self.shape = shape
        self.folder = Path(folder)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def __sizeof__(self) -> int:
        """Return the bytes in the files, which is what moving them costs."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    @property
    def X(self) -> NDArray[Any]:
        """Features, (n, n_features)."""
        return self._read("X")

    @property
    def y(self) -> NDArray[Any] | None:
        """Target, (n,), or None."""
        return self._read("y") if (self.folder / "y.npy").exists() else None

    @property
    def order(self) -> NDArray[np.uint64]:
        """Position in the sampling order, (n,)."""
        return self._read("order")

    def mapped(self) -> NDArray[Any]:
        """Return the features as a memory map, whose pages are read when used."""
        return self._read("X", memory_map="r")

    def below(self, limit: int) -> Chunk:
        """Return the rows whose order is below `limit`, in memory."""
        return self.loaded().below(limit)

    def targets(self, limit: int) -> Chunk:
        """Return these rows without features, which are not read."""
        import numpy as np

        no_features = np.empty((self.shape[0], 0))
        return Chunk(self.part, no_features, self.y, self.order).below(limit)

    def loaded(self) -> Chunk:
        """Return all rows, in memory."""
        return Chunk(self.part, self.X, self.y, self.order)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as a `Chunk`."""
        return Chunk, (self.part, self.X, self.y, self.order)

    def _read(self, name: str, memory_map: Literal["r"] | None = None) -> NDArray[Any]:
        import numpy as np

        array: NDArray[Any] = np.load(self.folder / f"{name}.npy", mmap_mode=memory_map)
        return array
