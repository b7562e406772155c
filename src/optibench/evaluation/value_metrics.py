"""RMSE, MAE and R2: scikit-learn's arithmetic without its checks per call.

Tests assert that the results equal those of `sklearn.metrics` to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.floating]

MIN_ROWS = 2  # R2 compares with the mean, and a single row equals its mean


def rmse(y: Values, predicted: Values) -> float:
    """Return the root mean squared error, in the unit of the target."""
    return float(np.sqrt(np.average(_column(y - predicted) ** 2, axis=0))[0])


def mae(y: Values, predicted: Values) -> float:
    """Return the mean absolute error, in the unit of the target."""
    return float(np.average(np.abs(_column(predicted - y)), axis=0)[0])


def r2(y: Values, predicted: Values) -> float:
    """Return the coefficient of determination, 1 at best; NaN for a single row.

    For a constant target it is 1 if the prediction is perfect and else 0, like scikit-learn's.
    """
    if len(y) < MIN_ROWS:
        return math.nan
    residual = float(np.sum(_column(y - predicted) ** 2, axis=0)[0])
    centred = _column(y) - np.average(_column(y), axis=0)
    total = float(np.sum(centred**2, axis=0)[0])
    if total == 0:
        return 1.0 if residual == 0 else 0.0
    return 1.0 - residual / total


def _column(values: Values) -> Values:
    """Return the values as (n, 1), the shape over which scikit-learn sums."""
    return values.reshape(-1, 1)
