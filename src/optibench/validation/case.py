"""What the checks of a table look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from optibench.records import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.config.schema import Config
    from optibench.contracts import Evaluation, Model
    from optibench.datasets.columns import Kind
    from optibench.datasets.facts import Column
    from optibench.records import Candidate


NAMES_TOLD = 5


class Roles(Protocol):
    """What the columns of a table are for; see `records.Table`."""

    @property
    def target(self) -> str | None:
        """The target column."""

    @property
    def categorical(self) -> tuple[str, ...]:
        """Feature columns to treat as categories."""

    @property
    def groups(self) -> str | None:
        """The column with groups."""

    @property
    def time(self) -> str | None:
        """The column that orders the rows."""

    @property
    def features(self) -> list[str]:
        """The columns that a model sees."""


@dataclass(frozen=True, eq=False)
class Case:
    """A table and what is to be done with it.

    Attributes:
        table: what its columns are for.
        columns: what is known of each.
        n_rows: how many it has.
    """

    config: Config
    table: Roles
    columns: Mapping[str, Column]
    n_rows: int
    candidates: tuple[Candidate, ...]
    with_folds: bool

    @property
    def model(self) -> Model:
        """The model that will see the table."""
        return self.config.model

    @property
    def evaluation(self) -> Evaluation:
        """How the table will be split."""
        return self.config.evaluation

    @property
    def classifies(self) -> bool:
        """True where the target holds classes."""
        return self.model.task is Task.CLASSIFICATION

    @property
    def predicts_numbers(self) -> bool:
        """True where the target holds numbers to predict."""
        return self.model.task is Task.REGRESSION

    @property
    def needs_target(self) -> bool:
        """True where the target matters at all."""
        return self.model.task is not Task.CLUSTERING

    @property
    def target(self) -> Column:
        """The target column; call it only where there is one."""
        return self.columns[str(self.table.target)]

    def kind(self, name: str) -> Kind:
        """What a feature column holds."""
        return self.columns[name].kind

    @property
    def numeric(self) -> list[str]:
        """The feature columns that are used as numbers."""
        return [name for name in self.table.features if name not in self.table.categorical]

    @property
    def n_test(self) -> int:
        """Rows that will be held out; scikit-learn rounds up."""
        return math.ceil(self.evaluation.test_size * self.n_rows)

    @property
    def n_train(self) -> int:
        """Rows that remain for the search."""
        return self.n_rows - self.n_test


def plain(value: Any) -> Any:
    """Take a value out of its NumPy type, so that a message says 3 and not np.int64(3)."""
    return value.item() if hasattr(value, "item") else value


def listed(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:NAMES_TOLD])
    more = len(names) - NAMES_TOLD
    return f"{shown} and {more} more" if more > 0 else shown
