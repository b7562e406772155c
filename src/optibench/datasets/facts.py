"""Facts about a column that validation needs, from memory or from blocks of a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optibench.datasets.columns import kind_of, numbers, sort_keys
from optibench.records import ColumnKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


class Column(Protocol):
    """Facts about one column."""

    @property
    def kind(self) -> ColumnKind:
        """What the column holds."""

    @property
    def missing(self) -> int:
        """Number of missing values."""

    @property
    def infinite(self) -> int:
        """Number of infinite values; 0 if the column holds no numbers."""

    @property
    def varies(self) -> bool:
        """Whether two rows differ; a missing value differs from any other."""

    @property
    def counts(self) -> Mapping[Any, int]:
        """Number of rows per value that is not missing, the most frequent first."""

    @property
    def is_sortable(self) -> bool:
        """Whether the column holds numbers or dates."""


def counted(values: pd.Series) -> dict[Any, int]:
    """Count the rows per value that is not missing, the most frequent first."""
    found = values.value_counts()
    return dict(zip(found.index, found.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class FrameColumn:
    """A column in memory; implements `Column` and computes only what is asked for."""

    values: pd.Series

    @cached_property
    def kind(self) -> ColumnKind:
        """What the column holds."""
        return kind_of(self.values)

    @cached_property
    def missing(self) -> int:
        """Number of missing values."""
        return int(self.values.isna().sum())

    @cached_property
    def infinite(self) -> int:
        """Number of infinite values."""
        return int(np.isinf(numbers(self.values)).sum()) if self.kind is ColumnKind.NUMBER else 0

    @cached_property
    def varies(self) -> bool:
        """Whether two rows differ."""
        return bool(self.values.nunique(dropna=False) > 1)

    @cached_property
    def counts(self) -> Mapping[Any, int]:
        """Number of rows per value that is not missing, the most frequent first."""
        return counted(self.values)

    @property
    def is_sortable(self) -> bool:
        """Whether the column holds numbers or dates."""
        try:
            sort_keys(self.values)
        except (ValueError, TypeError):
            return False
        return True


@dataclass(frozen=True, eq=False)
class SeenColumn:
    """A column of a table that is read in blocks; implements `Column`.

    Attributes:
        present: number of values that are not missing.
        lowest, highest: the extreme numbers; NaN if there are no numbers.
        labels: number of rows per value, for a column of labels.
    """

    kind: ColumnKind
    present: int
    missing: int
    infinite: int = 0
    lowest: float = np.nan
    highest: float = np.nan
    labels: Mapping[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: pd.Series, *, labels: bool) -> SeenColumn:
        """Collect the facts of some rows; `labels` says whether to count their values."""
        kind, missing = kind_of(values), int(values.isna().sum())
        seen = cls(kind, len(values) - missing, missing)
        if labels:
            return replace(seen, labels=counted(values))
        if kind not in (ColumnKind.NUMBER, ColumnKind.BOOLEAN):
            return seen
        held = numbers(values)
        return replace(
            seen,
            infinite=int(np.isinf(held).sum()),
            lowest=float(np.nanmin(held)),
            highest=float(np.nanmax(held)),
        )

    @classmethod
    def merge(cls, seen: Sequence[SeenColumn]) -> SeenColumn:
        """Combine the facts of all blocks; mixed kinds are text, as when read at once."""
        kinds = {column.kind for column in seen} - {ColumnKind.EMPTY} or {ColumnKind.EMPTY}
        labels: Counter[Any] = Counter()
        for column in seen:
            labels.update(column.labels)
        return cls(
            kinds.pop() if len(kinds) == 1 else ColumnKind.TEXT,
            sum(column.present for column in seen),
            sum(column.missing for column in seen),
            sum(column.infinite for column in seen),
            float(np.fmin.reduce([column.lowest for column in seen])),
            float(np.fmax.reduce([column.highest for column in seen])),
            dict(labels.most_common()),
        )

    def meaning(self, kind: ColumnKind, values: Sequence[Any]) -> SeenColumn:
        """Return this column with its labels replaced by the values that they stand for.

        Args:
            kind: what the values are.
            values: the value of each label, in the order of `labels`.
        """
        labels: Counter[Any] = Counter()
        for value, rows in zip(values, self.labels.values(), strict=True):
            labels[value] += rows
        endless = sum(n for v, n in labels.items() if isinstance(v, float) and np.isinf(v))
        return replace(self, kind=kind, infinite=endless, labels=dict(labels.most_common()))

    @property
    def counts(self) -> Mapping[Any, int]:
        """Number of rows per label; of numbers only if all are equal."""
        if self.lowest == self.highest:
            return {self.lowest: self.present}
        return self.labels

    @property
    def varies(self) -> bool:
        """Whether two rows differ."""
        if self.missing and self.present:
            return True
        return len(self.labels) > 1 or self.highest > self.lowest

    @property
    def is_sortable(self) -> bool:
        """Whether the column holds numbers or dates."""
        return self.kind in (ColumnKind.NUMBER, ColumnKind.DATE)
