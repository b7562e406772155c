"""Select the columns and rows that the configuration asks for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from optibench.datasets.fields import check_counts
from optibench.errors import ConfigError, DataError
from optibench.records import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from optibench.datasets.fields import DatasetFields

LISTED_NAMES = 12


def select(frame: pd.DataFrame, fields: DatasetFields, source: str, seed: int) -> Table:
    """Keep the columns and rows that `fields` names, in the order of the table.

    Raises:
        DataError: a column does not exist, or there are fewer rows or features than asked for.
        ConfigError: the target is dropped or categorical, or a count is below 1.
    """
    check_counts(fields)
    known = [str(column) for column in frame.columns]
    _check_names(known, fields)
    keep = set(known if fields.columns is None else fields.columns) - set(fields.drop)
    if fields.target is not None:
        keep.add(fields.target)
    kept = [column for column in known if column in keep]
    kept = _first_features(kept, fields)
    chosen = _draw_rows(frame[kept], fields.n_samples, seed)
    categorical = tuple(column for column in fields.categorical if column in kept)
    return Table(fields.name, chosen, fields.target, source, categorical)


def _check_names(known: Sequence[str], fields: DatasetFields) -> None:
    if fields.target is not None:
        require_column("dataset.target", fields.target, known)
    named = {
        "columns": fields.columns or (),
        "drop": fields.drop,
        "categorical": fields.categorical,
    }
    for key, columns in named.items():
        for column in columns:
            require_column(f"dataset.{key}", column, known)
    for key in ("drop", "categorical"):
        if fields.target is not None and fields.target in named[key]:
            msg = (
                f"dataset.{key} names {fields.target!r}, which is dataset.target: the target is "
                f"never a feature. Remove it from dataset.{key}, or set dataset.target=null."
            )
            raise ConfigError(msg)


def require_column(key: str, column: str, known: Sequence[str]) -> None:
    """Check that the table has `column`.

    Raises:
        DataError: it does not; the message lists the columns and the nearest one.
    """
    if column in known:
        return
    near = get_close_matches(column, known, n=1) or get_close_matches(
        column.lower(), [name.lower() for name in known], n=1
    )
    hint = f" Did you mean {_as_written(near[0], known)!r}?" if near else ""
    more = len(known) - LISTED_NAMES
    listed = ", ".join(known[:LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")
    msg = f"{key}={column!r}: the table has no such column; it has {listed}.{hint}"
    raise DataError(msg)


def _as_written(near: str, known: Sequence[str]) -> str:
    return next(name for name in known if name.lower() == near.lower())


def _first_features(kept: list[str], fields: DatasetFields) -> list[str]:
    if fields.n_features is None:
        return kept
    features = [column for column in kept if column != fields.target]
    if fields.n_features > len(features):
        msg = (
            f"dataset.n_features={fields.n_features}: {fields.name} has {len(features)} features. "
            "Choose at most as many, or null for all."
        )
        raise DataError(msg)
    wanted = {*features[: fields.n_features], fields.target}
    return [column for column in kept if column in wanted]


def _draw_rows(frame: pd.DataFrame, n_samples: int | None, seed: int) -> pd.DataFrame:
    import numpy as np

    if n_samples is None or n_samples == len(frame):
        return frame.reset_index(drop=True)
    if n_samples > len(frame):
        msg = (
            f"dataset.n_samples={n_samples}: the table has {len(frame)} rows. Choose at most as "
            "many, or null for all."
        )
        raise DataError(msg)
    rows = np.random.default_rng(seed).choice(len(frame), size=n_samples, replace=False)
    return frame.iloc[np.sort(rows)].reset_index(drop=True)
