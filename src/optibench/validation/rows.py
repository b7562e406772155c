"""Checks of the target and the rows; each returns an objection with a remedy, or None."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optibench.records import ColumnKind, Task
from optibench.validation.wording import counted_rows, listed, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.validation.case import Case

MAX_FRACTIONAL_CLASSES = 10
# A silhouette needs two clusters, one of them with two rows; R2 needs two rows.
MIN_ROWS = {Task.CLASSIFICATION: 1, Task.REGRESSION: 2, Task.CLUSTERING: 3}
BINARY = 2
MIN_ROWS_PER_CLASS = 5  # with fewer on average, a target does not look like classes
SHOWN_COLUMNS = 12


def target_given(case: Case) -> str | None:
    """Require a target for classification and regression."""
    if not case.needs_target or case.table.target is not None:
        return None
    what = "classes" if case.classifies else "numbers"
    return (
        f"dataset.target is null, and model={case.model.name} predicts {what}: set dataset.target "
        f"to the column with the {what}. The columns are "
        f"{listed(list(case.columns), SHOWN_COLUMNS)}."
    )


def target_complete(case: Case) -> str | None:
    """Require a target in every row, because rows without one cannot be fitted or scored."""
    if not case.needs_target:
        return None
    missing = case.target.missing
    if not missing:
        return None
    return (
        f"Target column {case.table.target!r} has {missing} missing values in {case.n_rows} rows; "
        f"every row needs a {'class' if case.classifies else 'number'}. Delete these rows from "
        "the file."
    )


def target_of_classes(case: Case) -> str | None:
    """Require classes in the target, not measurements."""
    if not case.classifies:
        return None
    kind = case.target.kind
    if kind is ColumnKind.DATE:
        return (
            f"Target column {case.table.target!r} holds dates; allowed are text and numbers. "
            "Choose another dataset.target."
        )
    if kind is not ColumnKind.NUMBER:
        return None
    values, infinite = list(case.target.counts), case.target.infinite
    distinct = len(values)
    fractions = not infinite and any(value != math.floor(value) for value in values)
    if infinite or (fractions and distinct > MAX_FRACTIONAL_CLASSES):
        return (
            f"Target column {case.table.target!r} holds {distinct} distinct numbers that look "
            f"like measurements; model={case.model.name} predicts classes. Choose another "
            "dataset.target, write classes into the file, or use model=xgboost_regression."
        )
    return None


def target_of_numbers(case: Case) -> str | None:
    """Require finite numbers in the target of a regression, not all the same."""
    if not case.predicts_numbers:
        return None
    name, kind = case.table.target, case.target.kind
    if kind is not ColumnKind.NUMBER:
        return (
            f"Target column {name!r} holds {kind}; model={case.model.name} predicts numbers. "
            "Choose another dataset.target, or use model=xgboost for classes."
        )
    if case.target.infinite:
        return (
            f"Target column {name!r} has {case.target.infinite} infinite values; only finite "
            "numbers are allowed. Correct them in the file, or delete these rows."
        )
    if not case.target.varies:
        return (
            f"Target column {name!r} is {next(iter(case.target.counts)):g} in all {case.n_rows} "
            "rows: there is nothing to predict. Choose another dataset.target."
        )
    return None


def several_classes(case: Case) -> str | None:
    """Require at least two classes."""
    if not case.classifies or len(case.target.counts) > 1:
        return None
    only = plain(next(iter(case.target.counts)))
    return (
        f"Target column {case.table.target!r} has one class only ({only!r} in all "
        f"{case.n_rows} rows); at least 2 are needed. Choose another dataset.target, or add rows "
        "of another class."
    )


def enough_of_each_class(case: Case) -> str | None:
    """Require a row of every class for every fold; a split in time is checked later."""
    if not case.classifies or case.table.time is not None:
        return None
    counts = list(case.target.counts.items())
    needed = case.evaluation.folds if case.with_folds else BINARY
    rarest, count = plain(counts[-1][0]), counts[-1][1]
    if count >= needed:
        return None
    limit = f"evaluation.folds={needed}" if case.with_folds else "2, one for each part"
    fewer = "Reduce evaluation.folds, add" if case.with_folds and count > 1 else "Add"
    hint = (
        " Many classes are rare: is it a column of classes? To predict numbers, use "
        "model=xgboost_regression."
        if len(counts) * MIN_ROWS_PER_CLASS > case.n_rows
        else ""
    )
    return (
        f"Class {rarest!r} of target column {case.table.target!r} has {counted_rows(count)}, "
        f"fewer than {limit}. {fewer} rows of that class, or delete its rows from the file.{hint}"
    )


def room_for_classes(case: Case) -> str | None:
    """Require parts that are large enough for a row of every class."""
    if not case.classifies or case.table.time is not None or case.table.groups is not None:
        return None
    n_classes = len(case.target.counts)
    if min(case.n_train, case.n_test) >= n_classes:
        return None
    return (
        f"evaluation.test_size={case.evaluation.test_size} of {case.n_rows} rows gives "
        f"{case.n_train} to train and {case.n_test} held out; each part needs at least one row of "
        f"each of the {n_classes} classes. Change evaluation.test_size, or add rows."
    )


def objective_of_classes(case: Case) -> str | None:
    """Require an objective that fits the number of classes, if one is given."""
    if not case.classifies:
        return None
    n_classes = len(case.target.counts)
    wanted = "binary:" if n_classes == BINARY else "multi:"
    for candidate in case.candidates:
        objective = candidate.params.get("objective")
        if objective is not None and not str(objective).startswith(wanted):
            return (
                f"objective={objective!r} does not fit the {n_classes} classes of target column "
                f"{case.table.target!r}. Remove objective from model.params and model.space: by "
                "default it follows the number of classes."
            )
    return None


def enough_groups(case: Case) -> str | None:
    """Require at least one group for the held-out part and for every fold."""
    if case.table.groups is None:
        return None
    distinct = len(case.columns[case.table.groups].counts)
    needed = 1 + (case.evaluation.folds if case.with_folds else 1)
    if distinct >= needed:
        return None
    others = f"evaluation.folds={case.evaluation.folds}" if case.with_folds else "the train part"
    fewer = "Reduce evaluation.folds, or choose" if case.with_folds else "Choose"
    return (
        f"evaluation.groups={case.table.groups!r} has {distinct} distinct values; at least "
        f"{needed} are needed for the held-out part and {others}. {fewer} another column."
    )


def enough_rows(case: Case) -> str | None:
    """Require enough rows to fit and score every part."""
    folds = case.evaluation.folds if case.with_folds else 1
    least = MIN_ROWS[case.model.task]
    # A split in time makes folds + 1 pieces.
    pieces = folds + 1 if case.table.time is not None and case.with_folds else folds
    if case.n_test >= least and case.n_train // pieces >= least:
        return None
    in_pieces = f" (in {pieces} pieces)" if case.with_folds else ""
    fewer = f", reduce evaluation.folds ({folds})," if case.with_folds else ""
    return (
        f"The table has {case.n_rows} rows: {case.n_train} to train{in_pieces} and {case.n_test} "
        f"held out; each piece needs at least {least}. Add rows{fewer} or change "
        f"evaluation.test_size ({case.evaluation.test_size})."
    )


ROW_CHECKS: tuple[Callable[[Case], str | None], ...] = (
    target_given,
    target_complete,
    target_of_classes,
    target_of_numbers,
    several_classes,
    enough_of_each_class,
    room_for_classes,
    objective_of_classes,
    enough_groups,
    enough_rows,
)
