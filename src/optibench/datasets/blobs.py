"""Gaussian blobs, one per centre: data of any size with known clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, check_counts, refuse_path
from optibench.datasets.generated import tabulate
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Blobs(DatasetFields):
    """scikit-learn's `make_blobs`.

    Attributes:
        centers: number of blobs, at least 1.
        cluster_std: standard deviation of each blob, above 0.
    """

    name: str = "blobs"
    target: str | None = "label"
    n_samples: int | None = 1000
    n_features: int | None = 8
    centers: int = 5
    cluster_std: float = 1.0

    def load(self, seed: int) -> Table:
        """Generate the table from `seed`.

        Raises:
            ConfigError: a count is missing or below 1, or the spread is not above 0.
        """
        from sklearn.datasets import make_blobs

        refuse_path(self)
        check_counts(self)
        if self.n_samples is None or self.n_features is None:
            msg = "dataset.n_samples, dataset.n_features: dataset=blobs needs a number for both."
            raise ConfigError(msg)
        if self.centers < 1 or not self.cluster_std > 0:
            msg = (
                f"dataset.centers={self.centers} and dataset.cluster_std={self.cluster_std}: "
                "allowed are at least 1 centre and a standard deviation above 0."
            )
            raise ConfigError(msg)
        X, y = make_blobs(
            self.n_samples,
            self.n_features,
            centers=self.centers,
            cluster_std=self.cluster_std,
            random_state=seed,
        )
        return tabulate(X, y, self, seed)
