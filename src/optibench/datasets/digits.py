"""Handwritten digits: 1,797 rows, 64 pixels, 10 classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.builtin import load_builtin
from optibench.datasets.fields import DatasetFields

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Digits(DatasetFields):
    """The table that ships with scikit-learn (BSD)."""

    name: str = "digits"
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        return load_builtin(self, "load_digits", seed)


PLUGIN = Digits
