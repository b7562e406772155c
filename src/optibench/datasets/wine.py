"""Wines of three growers: 178 rows, 13 chemical features, 3 classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.builtin import load_builtin
from optibench.datasets.fields import DatasetFields

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Wine(DatasetFields):
    """The table that ships with scikit-learn (BSD)."""

    name: str = "wine"
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        return load_builtin(self, "load_wine", seed)


PLUGIN = Wine
