"""Checks that only the parts and the folds can answer."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from optibench.errors import DataError
from optibench.evaluation.split import nested_share
from optibench.records import DataFacts, Split, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from optibench.contracts import Model
    from optibench.records import Candidate

    FittedRows = Callable[[], Iterator[tuple[str, NDArray[np.int64]]]]  # anew at each call

FIRST_LOOK_ROWS = 256
FEWEST_OF_A_CLASS = 2


def check_parts(model: Model, split: Split, candidates: Sequence[Candidate], seed: int) -> None:
    """Check every set of rows that an estimator will be fitted on.

    Raises:
        DataError: it lacks a class, has fewer distinct rows than clusters are asked for, or too
            few to set some aside for early stopping.
    """
    share = min((candidate.rows for candidate in candidates), default=1.0)
    fitted = partial(_fitted_rows, split, share, seed)
    if model.task is Task.CLUSTERING:
        _check_distinct_rows(split, fitted, _most_clusters(model, candidates))
    if model.task is not Task.CLASSIFICATION:
        return
    _check_classes(split, fitted)
    if any(candidate.params.get("early_stopping_rounds") for candidate in candidates):
        _check_early_stopping(split, fitted)


def _fitted_rows(split: Split, share: float, seed: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The rows of every fit, those of the smallest share of a fold too."""
    yield "the train part", np.arange(len(split.X_train))
    for number, (rows, _) in enumerate(split.folds):
        yield f"the rows that fold {number} trains on", rows
        if share < 1.0:
            few = nested_share(rows, split.y_train, share, seed)
            yield f"the first {len(few)} rows of fold {number} (search.min_resource)", few


def _check_early_stopping(split: Split, fitted: FittedRows) -> None:
    """A tenth of the rows is set aside, with each class in it and in the rest."""
    if split.y_train is None:
        return
    for where, rows in fitted():
        counts = np.bincount(split.y_train[rows])
        counts = counts[counts > 0]
        if counts.min() < FEWEST_OF_A_CLASS or math.ceil(len(rows) / 10) < len(counts):
            msg = (
                f"early_stopping_rounds sets a tenth of the rows aside, with every class in it: "
                f"{where} are {len(rows)} rows of {len(counts)} classes, {counts.min()} of the "
                "rarest. Take more rows, or leave early_stopping_rounds out."
            )
            raise DataError(msg)


def _check_classes(split: Split, fitted: FittedRows) -> None:
    if split.y_train is None or split.y_test is None:
        return
    classes = np.unique(np.concatenate((split.y_train, split.y_test)))
    for where, rows in fitted():
        lacking = np.setdiff1d(classes, split.y_train[rows])
        if len(lacking):
            msg = (
                f"The class with code {lacking[0]} (classes sorted, counted from 0) is not in "
                f"{where}, so nothing can be learnt of it. This happens with evaluation.time and "
                "evaluation.groups, or with few rows for halving: take fewer folds, another "
                "column, more rows, or a larger search.min_resource."
            )
            raise DataError(msg)


def _most_clusters(model: Model, candidates: Sequence[Candidate]) -> int:
    """The most clusters over the candidates; the library's default where none is given."""
    facts = DataFacts(0, None)
    estimators = (model.make(c.params, facts, seed=0, threads=1) for c in candidates)
    return max((int(e.get_params().get("n_clusters", 0)) for e in estimators), default=0)


def _check_distinct_rows(split: Split, fitted: FittedRows, n_clusters: int) -> None:
    for where, rows in fitted():
        if not _has_distinct(split.X_train, rows, n_clusters):
            distinct = len(np.unique(split.X_train[rows], axis=0))
            msg = (
                f"n_clusters={n_clusters} is more than the {distinct} distinct rows of {where}: "
                f"at most {distinct} clusters can be found. Lower n_clusters in model.space or "
                "model.params, or take more rows (for halving, a larger search.min_resource)."
            )
            raise DataError(msg)


def _has_distinct(X: NDArray[np.float64], rows: NDArray[np.int64], wanted: int) -> bool:
    """Look at ever more rows: the first nearly always suffice, and sorting all of them is slow."""
    look = max(FIRST_LOOK_ROWS, 2 * wanted)
    while look < len(rows):
        if len(np.unique(X[rows[:look]], axis=0)) >= wanted:
            return True
        look *= 4
    return len(np.unique(X[rows], axis=0)) >= wanted
