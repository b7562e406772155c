"""Checks of the columns: each returns what is wrong and what to do, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.datasets.columns import Kind
from optibench.datasets.selection import require_column
from optibench.evaluation.split import scaling_on
from optibench.validation.case import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.validation.case import Case


def aside_columns(case: Case) -> str | None:
    """Groups and time name columns of their own, without gaps."""
    table = case.table
    for key, column in (("groups", table.groups), ("time", table.time)):
        if column is None:
            continue
        require_column(f"evaluation.{key}", column, list(case.columns))
        if column == table.target or column in table.categorical:
            return (
                f"evaluation.{key}={column!r} is also the target or in dataset.categorical: a "
                "column has one use. Choose another column."
            )
        missing = case.columns[column].missing
        if missing:
            return (
                f"evaluation.{key}={column!r}: {missing} rows have no value there; fill them in."
            )
    return None


def sortable_time(case: Case) -> str | None:
    """The time column has an order."""
    if case.table.time is None or case.columns[case.table.time].is_sortable:
        return None
    return (
        f"evaluation.time={case.table.time!r}: the column holds neither numbers nor dates; "
        "allowed are numbers, dates, and text such as 2024-05-31 or 2024-05-31T12:00:00."
    )


def some_feature(case: Case) -> str | None:
    """A model needs something to look at."""
    if case.table.features:
        return None
    return (
        "No feature column is left beside the target: keep more columns in dataset.columns, or "
        "leave out fewer in dataset.drop."
    )


def known_kinds(case: Case) -> str | None:
    """Feature columns hold numbers, or are named as categories."""
    for kind, remedy in _remedies(case).items():
        wrong = [name for name in case.numeric if case.kind(name) is kind]
        if wrong:
            verb = "holds" if len(wrong) == 1 else "hold"
            noun = "column" if len(wrong) == 1 else "columns"
            names = ",".join(wrong)
            return (
                f"Feature {noun} {listed(wrong)} {verb} {kind}; model={case.model.name} needs "
                f"numbers. {remedy.format(names=names)}"
            )
    return None


def _remedies(case: Case) -> dict[Kind, str]:
    drop = "Leave out with dataset.drop=[{names}]"
    as_numbers = "Write numbers into the file, or leave out with dataset.drop=[{names}]."
    as_category = (
        "Name as categories with dataset.categorical=[{names}], or leave out with dataset.drop."
    )
    return {
        Kind.TEXT: as_category if case.model.accepts_categories else as_numbers,
        Kind.DATE: f"{drop}, or order the rows by one with evaluation.time=.",
        Kind.EMPTY: f"{drop}.",
        Kind.OTHER: as_numbers,
    }


def allowed_categories(case: Case) -> str | None:
    """Only some models take categories, and those are not scaled."""
    categorical = case.table.categorical
    if not categorical:
        return None
    if not case.model.accepts_categories:
        return (
            f"dataset.categorical={list(categorical)}: model={case.model.name} takes numbers "
            "only. Write them as numbers (one column of 0 and 1 per category), leave them out "
            "with dataset.drop, or take model=xgboost."
        )
    if scaling_on(case.config.dataset.scale, case.model.task):
        return (
            f"dataset.scale={case.config.dataset.scale} with "
            f"dataset.categorical={list(categorical)}: categories cannot be standardised. Trees "
            "need no scaling: set dataset.scale=false."
        )
    empty = [name for name in categorical if case.kind(name) is Kind.EMPTY]
    return (
        f"Categorical column {empty[0]!r} is empty; leave it out with dataset.drop."
        if empty
        else None
    )


def finite(case: Case) -> str | None:
    """No model takes infinite values."""
    counts = {name: case.columns[name].infinite for name in case.numeric}
    wrong = [name for name, count in counts.items() if count]
    if not wrong:
        return None
    return (
        f"Feature column {listed(wrong)} has {counts[wrong[0]]} infinite values in {wrong[0]!r}; "
        "only finite numbers are allowed. Mend these rows in the file, or leave the column out "
        "with dataset.drop."
    )


def complete(case: Case) -> str | None:
    """Some models take no missing values."""
    if case.model.accepts_missing:
        return None
    counts = {name: case.columns[name].missing for name in case.table.features}
    wrong = [name for name, count in counts.items() if count]
    if not wrong:
        return None
    names = ",".join(wrong)
    return (
        f"Feature column {listed(wrong)} has missing values ({counts[wrong[0]]} in {wrong[0]!r}); "
        f"model={case.model.name} takes none. Fill them or delete these rows in the file, or "
        f"leave the columns out with dataset.drop=[{names}]. model=xgboost and "
        "model=random_forest take missing values."
    )


def some_variation(case: Case) -> str | None:
    """At least one feature tells rows apart; a single constant column does no harm."""
    if any(case.columns[name].varies for name in case.table.features):
        return None
    return (
        f"Every feature column has one value only ({listed(case.table.features)}): there is "
        "nothing to learn from. Check dataset.path and dataset.columns."
    )


COLUMN_CHECKS: tuple[Callable[[Case], str | None], ...] = (
    aside_columns,
    sortable_time,
    some_feature,
    allowed_categories,
    known_kinds,
    finite,
    complete,
    some_variation,
)
