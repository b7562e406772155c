"""A generated regression problem of any size: a linear signal of some features, and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.datasets.fields import DatasetFields, check_counts, refuse_path
from optibench.datasets.generated import tabulate
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from optibench.records import Table


@dataclass(frozen=True)
class Regression(DatasetFields):
    """scikit-learn's `make_regression`.

    Attributes:
        n_informative: number of features that the target depends on, at most `n_features`.
        noise: standard deviation of the noise, in the unit of the target.
    """

    name: str = "regression"
    target: str | None = "label"
    n_samples: int | None = 1000
    n_features: int | None = 20
    n_informative: int = 10
    noise: float = 10.0

    def load(self, seed: int) -> Table:
        """Generate the table from `seed`.

        Raises:
            ConfigError: a count is missing or below 1, or the noise is negative.
        """
        from sklearn.datasets import make_regression

        refuse_path(self)
        check_counts(self)
        if self.n_samples is None or self.n_features is None or self.noise < 0:
            msg = (
                "dataset.n_samples, dataset.n_features: dataset=regression needs a number for "
                f"both; dataset.noise={self.noise}: allowed is at least 0."
            )
            raise ConfigError(msg)
        X, y = make_regression(
            n_samples=self.n_samples,
            n_features=self.n_features,
            n_informative=min(self.n_informative, self.n_features),
            noise=self.noise,
            random_state=seed,
        )
        return tabulate(X, y, self, seed)
