"""What the checks of a table need to know of a column, whole in memory or seen block by block."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optibench.datasets.columns import Kind, kind_of, numbers, sort_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


class Column(Protocol):
    """What is known of one column."""

    @property
    def kind(self) -> Kind:
        """What it holds."""

    @property
    def missing(self) -> int:
        """Rows without a value."""

    @property
    def infinite(self) -> int:
        """Rows with an infinite number; 0 where it holds none."""

    @property
    def varies(self) -> bool:
        """Two rows differ; a missing value differs from every other."""

    @property
    def counts(self) -> Mapping[Any, int]:
        """Rows of each value that is not missing, the most frequent first."""

    @property
    def is_sortable(self) -> bool:
        """It holds numbers, or dates."""


def counted(values: pd.Series) -> dict[Any, int]:
    """Rows of each value that is not missing, the most frequent first."""
    found = values.value_counts()
    return dict(zip(found.index, found.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class FrameColumn:
    """Of a table in memory; implements `Column`, and looks only at what it is asked for."""

    values: pd.Series

    @cached_property
    def kind(self) -> Kind:
        """What it holds."""
        return kind_of(self.values)

    @cached_property
    def missing(self) -> int:
        """Rows without a value."""
        return int(self.values.isna().sum())

    @cached_property
    def infinite(self) -> int:
        """Rows with an infinite number."""
        return int(np.isinf(numbers(self.values)).sum()) if self.kind is Kind.NUMBER else 0

    @cached_property
    def varies(self) -> bool:
        """Two rows differ."""
        return bool(self.values.nunique(dropna=False) > 1)

    @cached_property
    def counts(self) -> Mapping[Any, int]:
        """Rows of each value that is not missing, the most frequent first."""
        return counted(self.values)

    @property
    def is_sortable(self) -> bool:
        """It holds numbers, or dates."""
        try:
            sort_keys(self.values)
        except (ValueError, TypeError):
            return False
        return True


@dataclass(frozen=True, eq=False)
class SeenColumn:
    """Of a table that is read in blocks; implements `Column`.

    Attributes:
        present: rows with a value.
        lowest, highest: of its numbers; NaN where there are none.
        labels: rows of each value, where these are labels.
    """

    kind: Kind
    present: int
    missing: int
    infinite: int = 0
    lowest: float = np.nan
    highest: float = np.nan
    labels: Mapping[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: pd.Series, *, labels: bool) -> SeenColumn:
        """Look at some rows; `labels` are counted."""
        kind, missing = kind_of(values), int(values.isna().sum())
        seen = cls(kind, len(values) - missing, missing)
        if labels:
            return replace(seen, labels=counted(values))
        if kind not in (Kind.NUMBER, Kind.BOOLEAN):
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
        """Of all rows together; a mixture of kinds is text, as it is where it is read at once."""
        kinds = {column.kind for column in seen} - {Kind.EMPTY} or {Kind.EMPTY}
        labels: Counter[Any] = Counter()
        for column in seen:
            labels.update(column.labels)
        return cls(
            kinds.pop() if len(kinds) == 1 else Kind.TEXT,
            sum(column.present for column in seen),
            sum(column.missing for column in seen),
            sum(column.infinite for column in seen),
            float(np.fmin.reduce([column.lowest for column in seen])),
            float(np.fmax.reduce([column.highest for column in seen])),
            dict(labels.most_common()),
        )

    def meaning(self, kind: Kind, values: Sequence[Any]) -> SeenColumn:
        """The same column once it is known which value each of its labels stands for."""
        labels: Counter[Any] = Counter()
        for value, rows in zip(values, self.labels.values(), strict=True):
            labels[value] += rows
        endless = sum(n for v, n in labels.items() if isinstance(v, float) and np.isinf(v))
        return replace(self, kind=kind, infinite=endless, labels=dict(labels.most_common()))

    @property
    def counts(self) -> Mapping[Any, int]:
        """Of labels; of numbers only where all are the same one."""
        if self.lowest == self.highest:
            return {self.lowest: self.present}
        return self.labels

    @property
    def varies(self) -> bool:
        """Two rows differ."""
        if self.missing and self.present:
            return True
        return len(self.labels) > 1 or self.highest > self.lowest

    @property
    def is_sortable(self) -> bool:
        """It holds numbers, or dates."""
        return self.kind in (Kind.NUMBER, Kind.DATE)
