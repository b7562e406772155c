"""Pima Indians diabetes: 768 rows, 8 features, `outcome` 0 or 1 (see data/SOURCE.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, refuse_path
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from optibench.records import Table

FILE = Path(__file__).parent / "data" / "pima.csv"


@dataclass(frozen=True)
class Pima(DatasetFields):
    """A table that this package contains."""

    name: str = "pima"
    target: str | None = "outcome"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        import pandas as pd

        refuse_path(self)
        return select(pd.read_csv(FILE), self, "builtin:pima", seed)
