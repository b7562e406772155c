"""Diabetes: 442 patients, 10 features, the progress of the disease a year later as a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.builtin import load_builtin
from optibench.datasets.fields import DatasetFields

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Diabetes(DatasetFields):
    """The table that ships with scikit-learn (Efron et al. 2004)."""

    name: str = "diabetes"
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        return load_builtin(self, "load_diabetes", seed)


PLUGIN = Diabetes
