"""The one validator: everything that can be refused before an engine starts or a run is created.

Three moments: when the configuration is known (`validate_config`), when the table is read
(`validate_table`), and when the folds are made (`validate_split`). A message names the key or the
column, the value that came, what is allowed and what to do. Each check is a small function in a
list; the first that objects ends the run.
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
    """Check what can be checked without data; every key, used by this run or not.

    Args:
        config: the resolved configuration.
        metric: the metric that will rank candidates.

    Raises:
        ConfigError: naming the key, its value, and what is allowed.
    """
    for check in CONFIG_CHECKS:
        check(config, metric)


def validate_table(
    config: Config, table: Table, candidates: Sequence[Candidate], *, with_folds: bool = True
) -> None:
    """Check the table against the model, before it is encoded.

    Args:
        config: the resolved configuration.
        table: as it was read, groups and time columns named.
        candidates: those known before the search starts.
        with_folds: False for search=none.

    Raises:
        DataError: naming the column or the rows, and what to do.
    """
    frame = table.frame
    columns = {str(name): FrameColumn(frame[name]) for name in frame.columns}
    check_table(Case(config, table, columns, len(frame), tuple(candidates), with_folds))


def check_table(case: Case) -> None:
    """The checks of `validate_table`, of a table that is described and need not be in memory.

    Raises:
        DataError: naming the column or the rows, and what to do.
    """
    for check in (*COLUMN_CHECKS, *ROW_CHECKS):
        objection = check(case)
        if objection is not None:
            raise DataError(objection)


def validate_split(model: Model, split: Split, candidates: Sequence[Candidate], seed: int) -> None:
    """Check what only the parts and the folds show.

    Raises:
        DataError: a part without some class, or with fewer distinct rows than clusters are asked
            for.
    """
    check_parts(model, split, candidates, seed)
