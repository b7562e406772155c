"""Checks of the target and of the number of rows: what is wrong and what to do, or None."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optibench.datasets.columns import Kind
from optibench.records import Task
from optibench.validation.case import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.validation.case import Case

MOST_FRACTIONAL_CLASSES = 10
# A silhouette needs two clusters, and one of them with two rows; R2 needs two rows.
FEWEST_ROWS = {Task.CLASSIFICATION: 1, Task.REGRESSION: 2, Task.CLUSTERING: 3}
BINARY = 2
MANY_CLASSES = 5  # rows per class below which a target looks like no classes


def target_given(case: Case) -> str | None:
    """Classification and regression need a target."""
    if not case.needs_target or case.table.target is not None:
        return None
    does, what = ("classifies", "classes") if case.classifies else ("predicts", "numbers")
    return (
        f"dataset.target is null, and model={case.model.name} {does}: name the column with "
        f"the {what}, dataset.target=<one of "
        f"{', '.join(list(case.columns)[:12])}>."
    )


def target_complete(case: Case) -> str | None:
    """A row without a class, or a number, can neither be learnt from nor scored."""
    if not case.needs_target:
        return None
    missing = case.target.missing
    if not missing:
        return None
    return (
        f"Target column {case.table.target!r} has {missing} missing values of {case.n_rows}; "
        f"every row needs a {'class' if case.classifies else 'number'}. Delete these rows in the "
        "file."
    )


def target_of_classes(case: Case) -> str | None:
    """The target holds classes and not measurements."""
    if not case.classifies:
        return None
    kind = case.target.kind
    if kind is Kind.DATE:
        return f"Target column {case.table.target!r} holds dates; allowed are text and numbers."
    if kind is not Kind.NUMBER:
        return None
    values, infinite = list(case.target.counts), case.target.infinite
    distinct = len(values)
    fractions = not infinite and any(value != math.floor(value) for value in values)
    if infinite or (fractions and distinct > MOST_FRACTIONAL_CLASSES):
        return (
            f"Target column {case.table.target!r} holds {distinct} distinct numbers that look "
            f"like measurements; model={case.model.name} predicts classes. Choose another "
            "dataset.target, write classes into the file, or take model=xgboost_regression."
        )
    return None


def target_of_numbers(case: Case) -> str | None:
    """What is predicted are finite numbers, and not all the same."""
    if not case.predicts_numbers:
        return None
    name, kind = case.table.target, case.target.kind
    if kind is not Kind.NUMBER:
        return (
            f"Target column {name!r} holds {kind}; model={case.model.name} predicts numbers. "
            "Choose another dataset.target, or take model=xgboost for classes."
        )
    if case.target.infinite:
        return (
            f"Target column {name!r} has {case.target.infinite} infinite values. "
            "Mend them in the file."
        )
    if not case.target.varies:
        return (
            f"Target column {name!r} is {next(iter(case.target.counts)):g} in all {case.n_rows} "
            "rows: there is nothing to predict. Choose another dataset.target."
        )
    return None


def several_classes(case: Case) -> str | None:
    """With one class only there is nothing to tell apart."""
    if not case.classifies or len(case.target.counts) > 1:
        return None
    only = plain(next(iter(case.target.counts)))
    return (
        f"Target column {case.table.target!r} has one class only ({only!r} in all "
        f"{case.n_rows} rows); at least 2 are needed. Choose another dataset.target or other "
        "rows."
    )


def enough_of_each_class(case: Case) -> str | None:
    """Every fold needs a row of every class; ordered in time that is seen only after the split."""
    if not case.classifies or case.table.time is not None:
        return None
    counts = list(case.target.counts.items())
    needed = case.evaluation.folds if case.with_folds else BINARY
    rarest, count = plain(counts[-1][0]), counts[-1][1]
    if count >= needed:
        return None
    why = f"evaluation.folds={needed}" if case.with_folds else "2, one for each part"
    hint = (
        " Many classes are rare: is it a column of classes? For numbers take "
        "model=xgboost_regression."
        if len(counts) * MANY_CLASSES > case.n_rows
        else ""
    )
    return (
        f"Class {rarest!r} of target column {case.table.target!r} has {count} rows, fewer than "
        f"{why}. Take fewer folds, add rows, or delete the rows of that class.{hint}"
    )


def room_for_classes(case: Case) -> str | None:
    """Both parts of a stratified split hold every class."""
    if not case.classifies or case.table.time is not None or case.table.groups is not None:
        return None
    n_classes = len(case.target.counts)
    if min(case.n_train, case.n_test) >= n_classes:
        return None
    return (
        f"evaluation.test_size={case.evaluation.test_size} of {case.n_rows} rows gives "
        f"{case.n_train} to train and {case.n_test} held out; each needs at least one row of each "
        f"of the {n_classes} classes. Change test_size, or take more rows."
    )


def objective_of_classes(case: Case) -> str | None:
    """An objective that is given outright fits the number of classes."""
    if not case.classifies:
        return None
    n_classes = len(case.target.counts)
    wanted = "binary:" if n_classes == BINARY else "multi:"
    for candidate in case.candidates:
        objective = candidate.params.get("objective")
        if objective is not None and not str(objective).startswith(wanted):
            return (
                f"objective={objective!r} does not fit the {n_classes} classes of target column "
                f"{case.table.target!r}. Leave it out: the objective follows the number of "
                "classes."
            )
    return None


def enough_groups(case: Case) -> str | None:
    """Every fold, and the held-out part, needs a group of its own."""
    if case.table.groups is None:
        return None
    distinct = len(case.columns[case.table.groups].counts)
    needed = 1 + (case.evaluation.folds if case.with_folds else 1)
    if distinct >= needed:
        return None
    return (
        f"evaluation.groups={case.table.groups!r} has {distinct} distinct values; at least "
        f"{needed} are needed for the held-out part and evaluation.folds={case.evaluation.folds}. "
        "Take fewer folds or another column."
    )


def enough_rows(case: Case) -> str | None:
    """Every part can be fitted and scored."""
    folds = case.evaluation.folds if case.with_folds else 1
    fewest = FEWEST_ROWS[case.model.task]
    # A fold ordered in time is one of folds + 1 pieces.
    pieces = folds + 1 if case.table.time is not None and case.with_folds else folds
    if case.n_test >= fewest and case.n_train // pieces >= fewest:
        return None
    return (
        f"The table has {case.n_rows} rows: {case.n_train} to train (in {pieces} "
        f"pieces) and {case.n_test} held out; each piece needs at least {fewest}. Take more rows, "
        f"fewer folds (evaluation.folds={case.evaluation.folds}), or change "
        f"evaluation.test_size={case.evaluation.test_size}."
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
