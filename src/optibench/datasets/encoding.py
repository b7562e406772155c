"""From a table to the one float matrix that models see, classes and categories as codes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.datasets.columns import Kind, kind_of, numbers, sort_keys
from optibench.errors import DataError
from optibench.records import DataFacts, Dataset, Table, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]


def encode(table: Table, task: Task) -> Dataset:
    """Encode `table`, which the validator has passed.

    Args:
        table: what was read.
        task: for clustering the target column is set aside, and is no feature either.

    Raises:
        DataError: the target has missing values.
    """
    X, categories = _matrix(table)
    target = None if task is Task.CLUSTERING else table.target
    y: NDArray[Any] | None = None
    classes: tuple[Any, ...] = ()
    if target is not None:
        column = table.frame[target]
        _refuse_missing(column)
        y, classes = (numbers(column), ()) if task is Task.REGRESSION else _classes(column)
    groups = None if table.groups is None else table.frame[table.groups].factorize(sort=True)[0]
    time = None if table.time is None else sort_keys(table.frame[table.time])
    names = {"features": table.features, "classes": classes, "categories": categories}
    return Dataset(
        name=table.name,
        X=X,
        y=y,
        feature_names=tuple(table.features),
        classes=classes,
        categories=categories,
        source=table.source,
        digest=_digest(names, (X, y, groups, time)),
        target=target,
        groups=groups,
        time=time,
    )


def data_facts(dataset: Dataset) -> DataFacts:
    """What an estimator factory may know of `dataset`."""
    if not dataset.categories:
        return DataFacts(len(dataset.classes), None)
    types = tuple("c" if name in dataset.categories else "q" for name in dataset.feature_names)
    return DataFacts(len(dataset.classes), types)


def category_label(value: Any) -> str:
    """Write a category as text: 3 and 3.0 are one, for a gap makes a column of integers floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _matrix(table: Table) -> tuple[NDArray[np.float64], dict[str, tuple[str, ...]]]:
    X = np.empty((len(table.frame), len(table.features)), dtype=np.float64)
    categories: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(table.features):
        column = table.frame[name]
        if name in table.categorical:
            X[:, position], categories[name] = _category_codes(column)
        else:
            X[:, position] = numbers(column)
    return X, categories


def _category_codes(column: pd.Series) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Codes in the order of the labels as text, NaN for missing values."""
    found, values = column.factorize()
    texts = [category_label(value) for value in values]
    labels = tuple(sorted(set(texts)))
    code_of = {label: float(code) for code, label in enumerate(labels)}
    lookup = np.array([*(code_of[text] for text in texts), np.nan])
    return lookup[found], labels  # factorize says -1 for missing: the last entry


def _refuse_missing(column: pd.Series) -> None:
    missing = int(column.isna().sum())
    if missing:
        msg = f"Target column {column.name!r} has {missing} missing values; drop these rows."
        raise DataError(msg)


def _classes(column: pd.Series) -> tuple[Codes, tuple[Any, ...]]:
    """Codes into the sorted labels, whatever the labels are."""
    found, values = column.factorize()
    labels = [value.item() if isinstance(value, np.generic) else value for value in values]
    order = sorted(range(len(labels)), key=_sort_key(column, labels))
    code_of = np.empty(len(labels), dtype=np.int64)
    code_of[order] = np.arange(len(labels))
    return code_of[found], tuple(labels[position] for position in order)


def _sort_key(column: pd.Series, labels: list[Any]) -> Any:
    """Labels of one kind have an order of their own; mixed ones are ordered by their text."""
    if kind_of(column) is Kind.OTHER:
        return lambda position: (str(type(labels[position])), str(labels[position]))
    return lambda position: labels[position]


def _digest(names: Mapping[str, Any], arrays: tuple[NDArray[Any] | None, ...]) -> str:
    """SHA-256 over names, labels and numbers; the same table has the same digest anywhere."""
    digest = hashlib.sha256(json.dumps(names, default=str, sort_keys=True).encode())
    for array in arrays:
        digest.update(b"-" if array is None else f"{array.dtype.str}{array.shape}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
