"""The tables that ship with scikit-learn (BSD): breast_cancer, diabetes, digits, iris, wine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, refuse_path
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Builtin(DatasetFields):
    """One table of scikit-learn, loaded by `sklearn.datasets.load_<name>`."""

    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        import sklearn.datasets

        refuse_path(self)
        load = getattr(sklearn.datasets, f"load_{self.name}")
        return select(load(as_frame=True).frame, self, f"builtin:{self.name}", seed)


@dataclass(frozen=True)
class BreastCancer(Builtin):
    """Tumours: 569 rows, 30 features, 2 classes."""

    name: str = "breast_cancer"


@dataclass(frozen=True)
class Diabetes(Builtin):
    """Patients: 442 rows, 10 features, the progress of the disease (Efron et al. 2004)."""

    name: str = "diabetes"


@dataclass(frozen=True)
class Digits(Builtin):
    """Handwritten digits: 1,797 rows, 64 pixels, 10 classes."""

    name: str = "digits"


@dataclass(frozen=True)
class Iris(Builtin):
    """Fisher's iris flowers: 150 rows, 4 features, 3 classes of 50."""

    name: str = "iris"


@dataclass(frozen=True)
class Wine(Builtin):
    """Wines: 178 rows, 13 features, 3 classes."""

    name: str = "wine"
