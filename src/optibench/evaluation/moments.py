"""Compute means and variances of a table in one pass over its pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of the features over some rows; missing values are ignored.

    Attributes:
        count: (n_features,) number of values.
        mean: (n_features,) their mean.
        squares: (n_features,) sum of their squared deviations from the mean.
    """

    count: Values
    mean: Values
    squares: Values

    @classmethod
    def of(cls, X: Values) -> Moments:
        """Compute the moments of the rows of X, (n, n_features)."""
        present = ~np.isnan(X)
        count = present.sum(axis=0).astype(np.float64)
        mean = np.where(present, X, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(present, X - mean, 0.0) ** 2).sum(axis=0)
        return cls(count, mean, squares)

    @classmethod
    def merge(cls, parts: Iterable[Moments]) -> Moments:
        """Return the moments of all rows of several parts (Chan, Golub and LeVeque, 1983)."""
        return reduce(cls._with, parts)

    def _with(self, other: Moments) -> Moments:
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        shift = other.mean - self.mean
        squares = self.squares + other.squares + shift**2 * self.count * share
        return Moments(count, self.mean + shift * share, squares)

    @property
    def variance(self) -> Values:
        """Variance of each feature, (n_features,), with ddof 0."""
        return self.squares / np.maximum(self.count, 1)


def scaler_of(moments: Moments) -> Any:
    """Return a `StandardScaler` that is fitted with these moments.

    A feature that is constant up to rounding is not scaled; the bound is scikit-learn's.
    """
    from sklearn.preprocessing import StandardScaler

    n, variance = moments.count.max(), moments.variance
    rounding = np.finfo(np.float64).eps * n
    constant = variance <= rounding * variance + (rounding * moments.mean) ** 2
    scaler = StandardScaler()
    scaler.mean_, scaler.var_ = moments.mean, variance
    scaler.scale_ = np.where(constant, 1.0, np.sqrt(variance))
    scaler.n_features_in_, scaler.n_samples_seen_ = len(variance), int(n)
    return scaler
