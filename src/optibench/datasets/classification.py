"""A generated classification problem of any size, with informative features among noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, check_counts, refuse_path
from optibench.datasets.generated import tabulate
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.records import Table

FEWEST_CLASSES = 2


@dataclass(frozen=True)
class Classification(DatasetFields):
    """scikit-learn's `make_classification`, without redundant and repeated features.

    Attributes:
        n_classes: number of classes, at least 2.
        n_informative: number of features that differ between classes, at most `n_features`.
        class_sep: distance between the classes; a larger one is easier.
    """

    name: str = "classification"
    target: str | None = "label"
    n_samples: int | None = 1000
    n_features: int | None = 20
    n_classes: int = 2
    n_informative: int = 10
    class_sep: float = 1.0

    def load(self, seed: int) -> Table:
        """Generate the table from `seed`.

        Raises:
            ConfigError: the numbers do not fit together; the message quotes scikit-learn.
        """
        from sklearn.datasets import make_classification

        refuse_path(self)
        check_counts(self)
        if self.n_samples is None or self.n_features is None or self.n_classes < FEWEST_CLASSES:
            msg = (
                "dataset.n_samples, dataset.n_features: dataset=classification needs a number for "
                f"both; dataset.n_classes={self.n_classes}: allowed are at least 2 classes."
            )
            raise ConfigError(msg)
        try:
            X, y = make_classification(
                n_samples=self.n_samples,
                n_features=self.n_features,
                n_informative=min(self.n_informative, self.n_features),
                n_redundant=0,
                n_classes=self.n_classes,
                class_sep=self.class_sep,
                random_state=seed,
            )
        except ValueError as error:
            msg = f"dataset=classification cannot be generated: {error}"
            raise ConfigError(msg) from error
        return tabulate(X, y, self, seed)
