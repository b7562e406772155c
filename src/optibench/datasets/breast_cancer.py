"""Wisconsin breast cancer: 569 rows, 30 features, class 0 malignant, class 1 benign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.builtin import load_builtin
from optibench.datasets.fields import DatasetFields

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class BreastCancer(DatasetFields):
    """The table that ships with scikit-learn (BSD)."""

    name: str = "breast_cancer"
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        return load_builtin(self, "load_breast_cancer", seed)


PLUGIN = BreastCancer
