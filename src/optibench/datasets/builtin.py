"""The tables that ship with scikit-learn (BSD): breast_cancer, diabetes, digits, iris, wine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from optibench.datasets.fields import DatasetFields, refuse_path
from optibench.datasets.selection import select

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Builtin(DatasetFields):
    """One table of scikit-learn.

    Attributes:
        loader: name of the function in `sklearn.datasets`.
    """

    loader: ClassVar[str]
    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number."""
        import sklearn.datasets

        refuse_path(self)
        load = getattr(sklearn.datasets, self.loader)
        return select(load(as_frame=True).frame, self, f"builtin:{self.name}", seed)


@dataclass(frozen=True)
class BreastCancer(Builtin):
    """Tumours: 569 rows, 30 features, 2 classes."""

    loader: ClassVar[str] = "load_breast_cancer"
    name: str = "breast_cancer"


@dataclass(frozen=True)
class Diabetes(Builtin):
    """Patients: 442 rows, 10 features, the progress of the disease (Efron et al. 2004)."""

    loader: ClassVar[str] = "load_diabetes"
    name: str = "diabetes"


@dataclass(frozen=True)
class Digits(Builtin):
    """Handwritten digits: 1,797 rows, 64 pixels, 10 classes."""

    loader: ClassVar[str] = "load_digits"
    name: str = "digits"


@dataclass(frozen=True)
class Iris(Builtin):
    """Fisher's iris flowers: 150 rows, 4 features, 3 classes of 50."""

    loader: ClassVar[str] = "load_iris"
    name: str = "iris"


@dataclass(frozen=True)
class Wine(Builtin):
    """Wines: 178 rows, 13 features, 3 classes."""

    loader: ClassVar[str] = "load_wine"
    name: str = "wine"
