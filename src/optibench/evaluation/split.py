"""Hold out rows, scale the features and make the folds: once per run, from the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from optibench.errors import ConfigError, DataError
from optibench.records import Dataset, Folds, Split, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from optibench.contracts import Evaluation

    Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SplitPlan:
    """How to split a table.

    Attributes:
        task: decides what is stratified.
        settings: test size, folds, groups and time.
        scale: fit a StandardScaler on the train part and apply it to both parts (`scaling_on`).
        seed: of the held-out part and of the folds.
        with_folds: False for search=none.
    """

    task: Task
    settings: Evaluation
    scale: bool
    seed: int
    with_folds: bool = True


def scaling_on(scale: object, task: Task) -> bool:
    """Resolve `dataset.scale`: "auto" standardises for clustering only.

    Raises:
        ConfigError: the value is neither true, false nor auto.
    """
    choices = {"true": True, "false": False, "auto": task is Task.CLUSTERING}
    is_on = choices.get(str(scale).lower())
    if is_on is None:
        msg = f"dataset.scale={scale!r}: allowed are true, false and auto."
        raise ConfigError(msg)
    return is_on


def split(dataset: Dataset, plan: SplitPlan) -> Split:
    """Split `dataset` into a train and a held-out part, and the train part into folds.

    Without groups and time it uses `train_test_split`, and `StratifiedKFold` for classes or else
    `KFold`. With groups it uses `GroupShuffleSplit`, and `StratifiedGroupKFold` or `GroupKFold`.
    With time it holds out the latest rows, and `TimeSeriesSplit` makes the folds.

    Raises:
        DataError: the train part has fewer rows of a class, or fewer groups, than folds.
    """
    settings = plan.settings
    y = None if plan.task is Task.CLUSTERING else dataset.y
    codes = y if plan.task is Task.CLASSIFICATION else None  # to stratify by
    train, test = _hold_out(dataset, codes, settings.test_size, plan.seed)
    X_train, X_test, scaler = dataset.X[train], dataset.X[test], None
    if plan.scale:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    y_train = None if y is None else y[train]
    groups = None if dataset.groups is None else dataset.groups[train]
    folds: Folds | tuple[()] = ()
    if plan.with_folds:
        _check_counts(dataset, settings, None if codes is None else codes[train], groups)
        splitter = _splitter(dataset, settings.folds, plan.seed, stratified=codes is not None)
        pairs = splitter.split(X_train, y_train, groups)
        folds = Folds.of(pairs, len(train), ordered=dataset.time is not None)
    return Split(X_train, X_test, y_train, None if y is None else y[test], folds, scaler)


def _hold_out(dataset: Dataset, y: Rows | None, test_size: float, seed: int) -> tuple[Rows, Rows]:
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    rows = np.arange(len(dataset.X))
    if dataset.time is not None:
        ordered = np.argsort(dataset.time, kind="stable")
        first_test = len(rows) - math.ceil(test_size * len(rows))
        return ordered[:first_test], ordered[first_test:]
    if dataset.groups is not None:
        splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=seed)
        train, test = next(splitter.split(rows, groups=dataset.groups))
    else:
        train, test = train_test_split(rows, test_size=test_size, random_state=seed, stratify=y)
    return train, test


class _Splitter(Protocol):
    """A splitter of scikit-learn, which ships no types."""

    def split(
        self, X: NDArray[np.float64], y: NDArray[Any] | None, groups: Rows | None
    ) -> Iterable[tuple[Rows, Rows]]:
        """Yield the (train, validation) row numbers of each fold."""


def _splitter(dataset: Dataset, folds: int, seed: int, *, stratified: bool) -> _Splitter:
    from sklearn.model_selection import (
        GroupKFold,
        KFold,
        StratifiedGroupKFold,
        StratifiedKFold,
        TimeSeriesSplit,
    )

    if dataset.time is not None:
        in_time: _Splitter = TimeSeriesSplit(n_splits=folds)
        return in_time
    if dataset.groups is not None:
        kind = StratifiedGroupKFold if stratified else GroupKFold
    else:
        kind = StratifiedKFold if stratified else KFold
    shuffled: _Splitter = kind(folds, shuffle=True, random_state=seed)
    return shuffled


def _check_counts(
    dataset: Dataset, settings: Evaluation, y: Rows | None, groups: Rows | None
) -> None:
    """Refuse a train part with fewer groups, or fewer rows of a class, than folds.

    Only after the split is it known which groups and how many rows of a class it has.
    """
    if groups is not None and len(np.unique(groups)) < settings.folds:
        msg = (
            f"evaluation.groups={settings.groups!r}: the train part has "
            f"{len(np.unique(groups))} groups, and evaluation.folds={settings.folds} needs at "
            f"least {settings.folds}. Reduce evaluation.folds."
        )
        raise DataError(msg)
    if y is None or dataset.time is not None:
        return
    counts = np.bincount(y, minlength=len(dataset.classes))
    rarest = int(counts.argmin())
    if counts[rarest] < settings.folds:
        msg = (
            f"Class {dataset.classes[rarest]!r} of column {dataset.target!r} has {counts[rarest]} "
            f"rows in the train part, fewer than evaluation.folds={settings.folds}: every fold "
            "needs a row of every class. Reduce evaluation.folds, add rows, or remove the rows "
            "of that class from the file."
        )
        raise DataError(msg)


def nested_share(rows: Rows, y: NDArray[Any] | None, share: float, seed: int) -> Rows:
    """Return a seeded share of `rows` in their order; larger shares contain the smaller ones.

    It is stratified by class: each class is shuffled, and the i-th of its n rows is added at the
    share (i + 1/2) / n, except that the first row of each class precedes all others.

    Args:
        rows: (n,) row numbers of the train part.
        y: (n_train,) the target of the whole train part, or None; floats are not classes.
        share: above 0 and up to 1; the number of rows is rounded up.
        seed: of the shuffle.
    """
    if share >= 1.0:
        return rows
    classes = y is not None and y.dtype.kind == "i"
    codes = y[rows] if y is not None and classes else np.zeros(len(rows), dtype=np.int64)
    shuffled = np.random.RandomState(seed).permutation(len(rows))
    added_at = np.empty(len(rows))
    for code in np.unique(codes):
        members = shuffled[codes[shuffled] == code]
        added_at[members] = (np.arange(len(members)) + 0.5) / len(members)
        added_at[members[0]] = 0.0
    first = np.argsort(added_at, kind="stable")[: math.ceil(share * len(rows))]
    return rows[np.sort(first)]
