"""The folds of the train part, stored as one small number per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

NO_FOLD = -1


@dataclass(frozen=True, eq=False)
class Folds(Sequence["tuple[Rows, Rows]"]):
    """Pairs of (train, validation) row numbers, both ascending, which are computed on access.

    Storing the row numbers of five folds would take 40 bytes per row, as much as five features.

    Attributes:
        validates: (n,) the fold that validates each row; -1 for none.
        n_folds: number of folds.
        ordered: each fold trains only on the rows of earlier folds (a split in time), instead of
            on all other rows.
    """

    validates: NDArray[np.int16]
    n_folds: int
    ordered: bool = False

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[Rows, Rows]], n_rows: int, *, ordered: bool = False
    ) -> Folds:
        """Make folds from the pairs that a splitter of scikit-learn yields for `n_rows` rows."""
        import numpy as np

        validates = np.full(n_rows, NO_FOLD, dtype=np.int16)
        n_folds = 0
        for number, (_, validation) in enumerate(pairs):
            validates[validation] = number
            n_folds = number + 1
        return cls(validates, n_folds, ordered)

    def __len__(self) -> int:
        """Return the number of folds."""
        return self.n_folds

    @overload
    def __getitem__(self, number: int) -> tuple[Rows, Rows]: ...
    @overload
    def __getitem__(self, number: slice) -> list[tuple[Rows, Rows]]: ...
    def __getitem__(self, number: int | slice) -> tuple[Rows, Rows] | list[tuple[Rows, Rows]]:
        """Return the (train, validation) row numbers of a fold."""
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(self.n_folds))]
        if not 0 <= number < self.n_folds:
            raise IndexError(number)
        import numpy as np

        trains = self.validates < number if self.ordered else self.validates != number
        return np.flatnonzero(trains), np.flatnonzero(self.validates == number)
