"""What the checks of a table need to know of a column, whole in memory or seen block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optibench.datasets.columns import Kind, kind_of, numbers, sort_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        found = self.values.value_counts()
        return dict(zip(found.index, found.tolist(), strict=True))

    @property
    def is_sortable(self) -> bool:
        """It holds numbers, or dates."""
        try:
            sort_keys(self.values)
        except (ValueError, TypeError):
            return False
        return True
