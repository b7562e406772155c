"""Find out what kind of values a column holds, and convert them to numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.records import ColumnKind

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


# For columns of Python objects: the results of pandas.api.types.infer_dtype.
INFERRED = {
    "boolean": ColumnKind.BOOLEAN,
    "integer": ColumnKind.NUMBER,
    "floating": ColumnKind.NUMBER,
    "mixed-integer-float": ColumnKind.NUMBER,
    "decimal": ColumnKind.NUMBER,
    "string": ColumnKind.TEXT,
    "date": ColumnKind.DATE,
    "datetime": ColumnKind.DATE,
    "datetime64": ColumnKind.DATE,
    "empty": ColumnKind.EMPTY,
}


def kind_of(column: pd.Series) -> ColumnKind:
    """Return what `column` holds; a column without values is EMPTY, whatever its type."""
    from pandas import CategoricalDtype
    from pandas.api import types

    if not column.notna().any():
        return ColumnKind.EMPTY
    if types.is_bool_dtype(column.dtype):
        return ColumnKind.BOOLEAN
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return ColumnKind.NUMBER
    if types.is_datetime64_any_dtype(column.dtype):
        return ColumnKind.DATE
    if isinstance(column.dtype, CategoricalDtype):
        return ColumnKind.TEXT
    return INFERRED.get(types.infer_dtype(column, skipna=True), ColumnKind.OTHER)


def numbers(column: pd.Series) -> NDArray[np.float64]:
    """Return a column of numbers or booleans as float64, (n,), missing values as NaN."""
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return column.to_numpy(dtype=np.float64)
    # Objects and pandas' own types, whose missing values (None, NA) are not floats.
    return column.astype(object).where(column.notna(), np.nan).to_numpy(dtype=np.float64)


def sort_keys(column: pd.Series) -> NDArray[Any]:
    """Return numbers unchanged, and dates and ISO 8601 text as nanoseconds since the epoch.

    Raises:
        ValueError: the column holds neither numbers nor dates.
    """
    import pandas as pd

    if kind_of(column) is ColumnKind.NUMBER:
        return numbers(column)
    dates = pd.to_datetime(column, format="ISO8601", utc=True)
    return dates.astype("datetime64[ns, UTC]").astype("int64").to_numpy()
