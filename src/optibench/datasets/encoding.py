"""Encode a table as one float matrix, with classes and categories as integer codes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.datasets.columns import kind_of, numbers, sort_keys
from optibench.errors import DataError
from optibench.records import ColumnKind, DataFacts, Dataset, Rows, Table, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Encoder:
    """Turns the rows of a table into numbers.

    Attributes:
        features: the columns of the matrix, in order.
        categories: for each categorical feature, the code of every value.
        target: the column to predict, or None.
        classes: the code of every value of the target; None if the target holds numbers.
    """

    features: tuple[str, ...]
    categories: Mapping[str, Mapping[Any, int]]
    target: str | None = None
    classes: Mapping[Any, int] | None = None

    def rows(self, frame: pd.DataFrame) -> Rows:
        """Encode the rows of a frame that has these columns."""
        X = np.empty((len(frame), len(self.features)), dtype=np.float64)
        for position, name in enumerate(self.features):
            codes = self.categories.get(name)
            column = frame[name]
            X[:, position] = numbers(column) if codes is None else _coded(column, codes, np.nan)
        if self.target is None:
            return Rows(X, None)
        target = frame[self.target]
        if self.classes is None:
            return Rows(X, numbers(target))
        return Rows(X, _coded(target, self.classes, -1).astype(np.int64))


def encode(table: Table, task: Task) -> Dataset:
    """Encode a table that validation has accepted.

    Args:
        table: rows and columns as read.
        task: for clustering, the target is neither predicted nor a feature.

    Raises:
        DataError: the target has missing values.
    """
    frame, target = table.frame, None if task is Task.CLUSTERING else table.target
    codes, categories = {}, {}
    for name in table.features:
        if name in table.categorical:
            codes[name], categories[name] = category_codes(frame[name].factorize()[1])
    classes: tuple[Any, ...] = ()
    class_codes: dict[Any, int] | None = None
    if target is not None:
        _refuse_missing(frame[target])
        if task is not Task.REGRESSION:
            values, kind = frame[target].factorize()[1], kind_of(frame[target])
            class_codes, classes = codes_of_classes(values, kind)
    rows = Encoder(tuple(table.features), codes, target, class_codes).rows(frame)
    groups = None if table.groups is None else frame[table.groups].factorize(sort=True)[0]
    time = None if table.time is None else sort_keys(frame[table.time])
    names = names_of(table.features, classes, categories)
    return Dataset(
        name=table.name,
        X=rows.X,
        y=rows.y,
        feature_names=tuple(table.features),
        classes=classes,
        categories=categories,
        source=table.source,
        digest=_digest(names, (rows.X, rows.y, groups, time)),
        target=target,
        groups=groups,
        time=time,
    )


def data_facts(dataset: Dataset) -> DataFacts:
    """Return what an estimator factory may know about `dataset`."""
    if not dataset.categories:
        return DataFacts(len(dataset.classes), None)
    types = tuple("c" if name in dataset.categories else "q" for name in dataset.feature_names)
    return DataFacts(len(dataset.classes), types)


def category_label(value: Any) -> str:
    """Write a category as text; 3.0 becomes 3, because gaps turn integers into floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def category_codes(
    values: Iterable[Any], keys: Iterable[Any] | None = None
) -> tuple[dict[Any, int], tuple[str, ...]]:
    """Assign codes to categories, in the order of their labels as text.

    Args:
        values: the distinct categories.
        keys: the value of each category in the frames to encode; by default the category itself.

    Returns:
        The code of every key, and the labels in the order of their codes.
    """
    values = list(values)
    texts = [category_label(value) for value in values]
    labels = tuple(sorted(set(texts)))
    code_of = {label: code for code, label in enumerate(labels)}
    found = values if keys is None else keys
    return {key: code_of[text] for key, text in zip(found, texts, strict=True)}, labels


def codes_of_classes(
    values: Iterable[Any], kind: ColumnKind, keys: Iterable[Any] | None = None
) -> tuple[dict[Any, int], tuple[Any, ...]]:
    """Assign codes to class labels in sorted order; labels of mixed kinds are sorted as text.

    Arguments and results are those of `category_codes`.
    """
    values = list(values)
    labels = [value.item() if isinstance(value, np.generic) else value for value in values]
    if kind is ColumnKind.OTHER:
        classes = sorted(dict.fromkeys(labels), key=lambda label: (str(type(label)), str(label)))
    else:
        classes = sorted(set(labels))
    code_of = {label: code for code, label in enumerate(classes)}
    found = values if keys is None else keys
    return {key: code_of[label] for key, label in zip(found, labels, strict=True)}, tuple(classes)


def names_of(
    features: Sequence[str], classes: Sequence[Any], categories: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return the names that enter a digest of the data, in addition to the numbers."""
    return {"features": list(features), "classes": tuple(classes), "categories": dict(categories)}


def _coded(column: pd.Series, codes: Mapping[Any, int], missing: float) -> NDArray[np.float64]:
    found, values = column.factorize()
    lookup = np.array([*(codes[value] for value in values), missing], dtype=np.float64)
    coded: NDArray[np.float64] = lookup[found]  # -1, for a missing value, takes the last entry
    return coded


def _refuse_missing(column: pd.Series) -> None:
    missing = int(column.isna().sum())
    if missing:
        msg = (
            f"dataset.target={column.name!r}: the column has {missing} missing values; remove "
            "these rows."
        )
        raise DataError(msg)


def _digest(names: Mapping[str, Any], arrays: tuple[NDArray[Any] | None, ...]) -> str:
    """Hash names, labels and numbers with SHA-256; equal tables have equal digests."""
    digest = hashlib.sha256(json.dumps(names, default=str, sort_keys=True).encode())
    for array in arrays:
        digest.update(b"-" if array is None else f"{array.dtype.str}{array.shape}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
