"""Checks of the columns; each returns an objection with a remedy, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.datasets.selection import require_column
from optibench.evaluation.split import scaling_on
from optibench.records import ColumnKind, Task
from optibench.validation.wording import list_override, listed, override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from optibench.validation.case import Case

# Models of the same task to suggest.
TAKE_CATEGORIES = {Task.CLASSIFICATION: "xgboost", Task.REGRESSION: "xgboost_regression"}
TAKE_MISSING = {
    Task.CLASSIFICATION: "model=xgboost or model=random_forest",
    Task.REGRESSION: "model=xgboost_regression",
}


def group_and_time_columns(case: Case) -> str | None:
    """Require columns for groups and time that exist, have no other use and no missing values."""
    table = case.table
    for key, column in (("groups", table.groups), ("time", table.time)):
        if column is None:
            continue
        require_column(f"evaluation.{key}", column, list(case.columns))
        if column == table.target or column in table.categorical:
            return (
                f"evaluation.{key}={column!r} is also the target or in dataset.categorical: a "
                "column can have only one use. Choose another column."
            )
        missing = case.columns[column].missing
        if missing:
            return (
                f"evaluation.{key}={column!r}: the value is missing in {missing} of {case.n_rows} "
                "rows. Fill in the values, or delete these rows from the file."
            )
    return None


def sortable_time(case: Case) -> str | None:
    """Require a time column that can be sorted."""
    if case.table.time is None or case.columns[case.table.time].is_sortable:
        return None
    return (
        f"evaluation.time={case.table.time!r}: the column holds neither numbers nor dates; "
        "allowed are numbers, dates, and text such as 2024-05-31 or 2024-05-31T12:00:00. Choose "
        "another column."
    )


def some_feature(case: Case) -> str | None:
    """Require at least one feature column."""
    if case.table.features:
        return None
    return (
        "No feature column is left: list more columns in dataset.columns, or fewer in "
        "dataset.drop."
    )


def known_kinds(case: Case) -> str | None:
    """Require numbers in the feature columns that are not categories."""
    for kind, remedy in REMEDIES.items():
        wrong = [name for name in case.numeric if case.kind(name) is kind]
        if wrong:
            verb = "holds" if len(wrong) == 1 else "hold"
            return (
                f"Feature {_columns(wrong)} {verb} {kind}; model={case.model.name} needs numbers. "
                f"{remedy(case, wrong)}"
            )
    return None


def _as_numbers(case: Case, names: list[str]) -> str:
    return f"Write numbers into the file, or leave {_it(names)} out with {_drop(case, names)}."


def _as_categories(case: Case, names: list[str]) -> str:
    if not case.model.accepts_categories:
        return _as_numbers(case, names)
    categories = list_override("dataset.categorical", (*case.table.categorical, *names))
    return (
        f"Use {_it(names)} as categories with {categories}, or leave {_it(names)} out with "
        f"{_drop(case, names)}."
    )


def _as_time(case: Case, names: list[str]) -> str:
    if case.table.time is not None or case.table.groups is not None:
        return _left_out(case, names)
    time = override("evaluation.time", names[0])
    return (
        f"Leave {_it(names)} out with {_drop(case, names)}, or order the rows by time with {time}."
    )


def _left_out(case: Case, names: list[str]) -> str:
    return f"Leave {_it(names)} out with {_drop(case, names)}."


REMEDIES: dict[ColumnKind, Callable[[Case, list[str]], str]] = {
    ColumnKind.TEXT: _as_categories,
    ColumnKind.DATE: _as_time,
    ColumnKind.EMPTY: _left_out,
    ColumnKind.OTHER: _as_numbers,
}


def allowed_categories(case: Case) -> str | None:
    """Require a model that accepts categories, and no scaling of them."""
    categorical = case.table.categorical
    if not categorical:
        return None
    if not case.model.accepts_categories:
        other = TAKE_CATEGORIES.get(case.model.task)
        return (
            f"dataset.categorical={list(categorical)}: model={case.model.name} accepts numbers "
            "only. Write the categories as numbers (one column of 0 and 1 per category), or leave "
            f"the columns out with {_drop(case, categorical)}"
            f"{f', or use model={other}' if other else ''}."
        )
    if scaling_on(case.config.dataset.scale, case.model.task):
        return (
            f"dataset.scale={case.config.dataset.scale} with "
            f"dataset.categorical={list(categorical)}: categories cannot be standardised. Set "
            "dataset.scale=false; trees need no scaling."
        )
    empty = [name for name in categorical if case.kind(name) is ColumnKind.EMPTY]
    if empty:
        return f"Categorical {_columns(empty)} has no value. {_left_out(case, empty)}"
    return None


def finite(case: Case) -> str | None:
    """Require finite numbers: no model accepts infinite values."""
    counts = {name: case.columns[name].infinite for name in case.numeric}
    wrong = [name for name, count in counts.items() if count]
    if not wrong:
        return None
    return (
        f"Infinite values in feature {_columns(wrong)} ({counts[wrong[0]]} in {wrong[0]!r}); only "
        f"finite numbers are allowed. Correct these rows in the file, or leave {_it(wrong)} out "
        f"with {_drop(case, wrong)}."
    )


def complete(case: Case) -> str | None:
    """Require values in all rows if the model does not accept missing ones."""
    if case.model.accepts_missing:
        return None
    counts = {name: case.columns[name].missing for name in case.table.features}
    wrong = [name for name, count in counts.items() if count]
    if not wrong:
        return None
    others = TAKE_MISSING.get(case.model.task)
    return (
        f"Missing values in feature {_columns(wrong)} ({counts[wrong[0]]} in {wrong[0]!r}); "
        f"model={case.model.name} does not accept them. Fill in the values or delete these rows "
        f"in the file, or leave {_it(wrong)} out with {_drop(case, wrong)}"
        f"{f', or use {others}' if others else ''}."
    )


def some_variation(case: Case) -> str | None:
    """Require a feature that varies; further constant columns are harmless."""
    if any(case.columns[name].varies for name in case.table.features):
        return None
    return (
        f"Every feature column has one value only ({listed(case.table.features)}): there is "
        "nothing to learn from. Check the file and dataset.columns."
    )


def _columns(names: list[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {listed(names)}"


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _drop(case: Case, names: Iterable[str]) -> str:
    return list_override("dataset.drop", dict.fromkeys((*case.config.dataset.drop, *names)))


COLUMN_CHECKS: tuple[Callable[[Case], str | None], ...] = (
    group_and_time_columns,
    sortable_time,
    some_feature,
    allowed_categories,
    known_kinds,
    finite,
    complete,
    some_variation,
)
