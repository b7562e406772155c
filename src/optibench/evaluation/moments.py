"""Means and variances of a table that comes in pieces, in one pass."""

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
    """Of some rows, by feature, missing values left out.

    Attributes:
        count, mean, squares: (n_features,) how many values, their mean, and the sum of squared
            deviations from it.
    """

    count: Values
    mean: Values
    squares: Values

    @classmethod
    def of(cls, X: Values) -> Moments:
        """Of the rows of X, (n, n_features)."""
        present = ~np.isnan(X)
        count = present.sum(axis=0).astype(np.float64)
        mean = np.where(present, X, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(present, X - mean, 0.0) ** 2).sum(axis=0)
        return cls(count, mean, squares)

    @classmethod
    def merge(cls, parts: Iterable[Moments]) -> Moments:
        """Of all rows together (Chan, Golub and LeVeque, 1983)."""
        return reduce(cls._with, parts)

    def _with(self, other: Moments) -> Moments:
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        shift = other.mean - self.mean
        squares = self.squares + other.squares + shift**2 * self.count * share
        return Moments(count, self.mean + shift * share, squares)

    @property
    def variance(self) -> Values:
        """(n_features,), ddof 0."""
        return self.squares / np.maximum(self.count, 1)


def scaler_of(moments: Moments) -> Any:
    """The `StandardScaler` that has seen these rows.

    A feature that is constant up to rounding keeps its scale, by scikit-learn's own bound.
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
