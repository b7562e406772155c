"""The tables that ship with scikit-learn (BSD), by name: iris, wine, digits and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, refuse_path
from optibench.datasets.selection import select
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.records import Table

# config.registry.SHARED_MODULES leads from these names to this module.
NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")


@dataclass(frozen=True)
class Builtin(DatasetFields):
    """One table of scikit-learn.

    Attributes:
        name: one of `NAMES`.
        target: the classes; for diabetes the number to predict.
    """

    target: str | None = "target"

    def load(self, seed: int) -> Table:
        """Read the table; `seed` draws rows where `n_samples` is below their number.

        Raises:
            ConfigError: scikit-learn has no table of this name.
        """
        import sklearn.datasets

        refuse_path(self)
        if self.name not in NAMES:
            msg = f"dataset.name={self.name!r}: allowed are {', '.join(NAMES)}."
            raise ConfigError(msg)
        load = getattr(sklearn.datasets, f"load_{self.name}")
        return select(load(as_frame=True).frame, self, f"builtin:{self.name}", seed)


PLUGIN = Builtin
