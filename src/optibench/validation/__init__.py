"""Refuse wrong configuration and data before an engine starts or a run is created.

The checks run at three moments: when the configuration is known (`validate_config`), when the
table is read (`validate_table`), and when the folds are made (`validate_split`). A message names
the key or the column, the value that came, what is allowed and what to do. Each check is a small
function in a list; the first objection ends the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.datasets.facts import FrameColumn
from optibench.errors import DataError
from optibench.validation.case import Case
from optibench.validation.columns import COLUMN_CHECKS
from optibench.validation.configuration import CONFIG_CHECKS
from optibench.validation.data_parallel import why_no_data
from optibench.validation.parts import check_parts
from optibench.validation.rows import ROW_CHECKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Model
    from optibench.records import Candidate, Split, Table

__all__ = [
    "Case",
    "check_table",
    "validate_config",
    "validate_split",
    "validate_table",
    "why_no_data",
]


def validate_config(config: Config, metric: str) -> None:
    """Check every key that can be checked without data, whether this run uses it or not.

    Args:
        config: the resolved configuration.
        metric: the metric that will rank candidates.

    Raises:
        ConfigError: a value is not allowed; the message names the key, the value and what is
            allowed.
    """
    for check in CONFIG_CHECKS:
        check(config, metric)


def validate_table(
    config: Config, table: Table, candidates: Sequence[Candidate], *, with_folds: bool = True
) -> None:
    """Check the table against the model, before it is encoded.

    Args:
        config: the resolved configuration.
        table: the table as read, with its groups and time columns named.
        candidates: the candidates that are known before the search starts.
        with_folds: False for search=none.

    Raises:
        DataError: the table is unusable; the message names the columns or rows and what to do.
    """
    frame = table.frame
    columns = {str(name): FrameColumn(frame[name]) for name in frame.columns}
    check_table(Case(config, table, columns, len(frame), tuple(candidates), with_folds))


def check_table(case: Case) -> None:
    """Run the checks of `validate_table` on a described table, which need not be in memory.

    Raises:
        DataError: the table is unusable; the message names the columns or rows and what to do.
    """
    for check in (*COLUMN_CHECKS, *ROW_CHECKS):
        objection = check(case)
        if objection is not None:
            raise DataError(objection)


def validate_split(model: Model, split: Split, candidates: Sequence[Candidate], seed: int) -> None:
    """Check the train part and the folds.

    Raises:
        DataError: a part lacks a class, or has fewer distinct rows than clusters.
    """
    check_parts(model, split, candidates, seed)
