"""RMSE, MAE and R2: scikit-learn's arithmetic without its checks per call.

The tests hold the results equal to `sklearn.metrics` to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[Any]

FEWEST_ROWS = 2  # R2 compares with the mean of the rows, which one row is itself


def rmse(y: Values, predicted: Values) -> float:
    """Square root of the mean squared error, in the unit of the target."""
    return float(np.sqrt(np.average(_column(y - predicted) ** 2, axis=0))[0])


def mae(y: Values, predicted: Values) -> float:
    """Mean absolute error, in the unit of the target."""
    return float(np.average(np.abs(_column(predicted - y)), axis=0)[0])


def r2(y: Values, predicted: Values) -> float:
    """The share of the variance that is predicted, 1 at best; NaN for a single row.

    Where the target is constant: 1 for a perfect prediction, else 0, as scikit-learn has it.
    """
    if len(y) < FEWEST_ROWS:
        return math.nan
    left = float(np.sum(_column(y - predicted) ** 2, axis=0)[0])
    centred = _column(y) - np.average(_column(y), axis=0)
    whole = float(np.sum(centred**2, axis=0)[0])
    if whole == 0:
        return 1.0 if left == 0 else 0.0
    return 1.0 - left / whole


def _column(values: Values) -> Values:
    """(n, 1), over which scikit-learn sums."""
    return values.reshape(-1, 1)
