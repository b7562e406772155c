"""A fold in a worker: its rows, and a cache that its trials share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from optibench.contracts import CacheEntry
from optibench.evaluation.split import nested_share

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray

# Up to this size everything is cached: a worker with its libraries takes ten times as much.
SMALL_BYTES = 16 * 2**20
TRAIN, VALIDATION = 0, 1  # indices in a fold's pair of row numbers


@dataclass(frozen=True, eq=False)
class FoldSource:
    """The table that folds are cut from, and the limits of a fold's cache.

    Attributes:
        X, y: the train part, (n, n_features) and (n,) or None.
        folds: (train, validation) row numbers of each fold.
        seed: selects the rows of a share of the train part.
        cache_bytes: limit of what one fold caches; None: it caches nothing.
    """

    X: NDArray[np.float64]
    y: NDArray[Any] | None
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    seed: int
    cache_bytes: int | None


class Fold:
    """Implements `contracts.FoldRows`.

    The rows are copied from the mapped table, large parts again for every unit, so that an idle
    worker holds little more than the map. They are read-only: a trial must not change the rows
    of the next one.
    """

    def __init__(self, source: FoldSource, number: int, share: float) -> None:
        """Create fold `number` with `share` of its train rows."""
        self._source, self._number = source, number
        train = nested_share(source.folds[number][0], source.y, share, source.seed)
        self._train_subset = train if share < 1.0 else None  # kept, because drawing it takes long
        self._n_train = len(train)
        self._entries: dict[Hashable, CacheEntry] = {}
        self._rows: dict[int, NDArray[np.float64]] = {}
        self.cached_bytes = 0

    @property
    def rows_bytes(self) -> int:
        """Size of the cached rows, which `cached_bytes` does not include."""
        return sum(rows.nbytes for rows in self._rows.values())

    def drop_rows(self) -> None:
        """Remove the cached rows; they are copied again when they are needed."""
        self._rows.clear()

    @property
    def X_train(self) -> NDArray[np.float64]:
        """Train rows, (n_train, n_features)."""
        return self._part_rows(TRAIN)

    @property
    def X_validation(self) -> NDArray[np.float64]:
        """Validation rows, (n_validation, n_features)."""
        return self._part_rows(VALIDATION)

    @cached_property
    def y_train(self) -> NDArray[Any] | None:
        """Target of the train rows, (n_train,) codes or values, or None."""
        return self._part_target(TRAIN)

    @cached_property
    def y_validation(self) -> NDArray[Any] | None:
        """Target of the validation rows, (n_validation,) codes or values, or None."""
        return self._part_target(VALIDATION)

    @property
    def n_train_values(self) -> int:
        """Number of values in the train part, rows x features."""
        return self._n_train * int(self._source.X.shape[1])

    def keep(self, key: Hashable, make: Callable[[], Any], n_bytes: int) -> CacheEntry:
        """Return the cached object of `key`, or that of `make()`, which is cached if it fits."""
        entry = self._entries.get(key)
        if entry is not None:
            return entry
        begin = time.process_time()
        value = make()
        seconds = time.process_time() - begin
        if self._has_room(n_bytes):
            self._entries[key] = CacheEntry(value, seconds, fresh=False)
            self.cached_bytes += n_bytes
        return CacheEntry(value, seconds, fresh=True)

    def may_cache(self, key: Hashable, n_bytes: int) -> bool:
        """Return whether `key` is cached, or an object of `n_bytes` may be."""
        return key in self._entries or self._has_room(n_bytes)

    def _has_room(self, n_bytes: int) -> bool:
        """Return whether an object of `n_bytes` may be cached.

        A cached object takes memory in addition to that of a plain fit. It is accepted if one of
        the two is small relative to the other: the peak is then hardly above the larger one.
        """
        limit = self._source.cache_bytes
        if limit is None:
            return False
        small = n_bytes <= self.small_bytes or self.n_train_values * 8 <= n_bytes // 8
        return small and self.cached_bytes + n_bytes <= limit

    @property
    def small_bytes(self) -> int:
        """Largest size that is small relative to the memory of a plain fit."""
        return max(SMALL_BYTES, self.n_train_values * 8 // 4)

    def _row_numbers(self, part: int) -> NDArray[np.int64]:
        """Return the row numbers of a part, not cached because they are as large as a feature."""
        if part == TRAIN and self._train_subset is not None:
            return self._train_subset
        return self._source.folds[self._number][part]

    def _part_rows(self, part: int) -> NDArray[np.float64]:
        """Return the rows of a part; small parts are cached."""
        if part in self._rows:
            return self._rows[part]
        rows = _read_only(self._source.X[self._row_numbers(part)])
        if rows.nbytes <= SMALL_BYTES:
            self._rows[part] = rows
        return rows

    def _part_target(self, part: int) -> NDArray[Any] | None:
        y = self._source.y
        return None if y is None else _read_only(y[self._row_numbers(part)])


def _read_only(rows: NDArray[Any]) -> NDArray[Any]:
    rows.flags.writeable = False
    return rows


class FoldCache:
    """The folds in a worker, all of one source; the least recently used are evicted first."""

    def __init__(self) -> None:
        """Start empty."""
        self._folds: dict[tuple[int, float], Fold] = {}

    def get(self, source: FoldSource, number: int, share: float) -> Fold:
        """Return fold `number` with `share` of its train rows; `source` must never change."""
        key = (number, share)
        fold = self._folds.pop(key, None) or Fold(source, number, share)
        self._evict(fold.small_bytes)
        self._folds[key] = fold
        return fold

    def _evict(self, small_bytes: int) -> None:
        """Evict rows first, because they are quickly copied again."""
        others = list(self._folds.values())
        rows = sum(fold.rows_bytes for fold in others)
        for fold in others:
            if rows > SMALL_BYTES:
                rows -= fold.rows_bytes
                fold.drop_rows()
        while sum(fold.cached_bytes for fold in self._folds.values()) > small_bytes:
            del self._folds[next(iter(self._folds))]
