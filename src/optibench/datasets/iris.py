"""Fisher's iris flowers: 150 rows, 4 features, 3 classes of 50."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.builtin import load_builtin
from optibench.datasets.fields import DatasetFields

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Iris(DatasetFields):
    """The table that ships with scikit-learn (BSD)."""

    name: str = "iris"
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        return load_builtin(self, "load_iris", seed)


PLUGIN = Iris
