"""Describe a table and its use, which is what the checks of a table examine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from optibench.records import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.config.schema import Config
    from optibench.contracts import Evaluation, Model
    from optibench.datasets.facts import Column
    from optibench.records import Candidate, ColumnKind


class Roles(Protocol):
    """The uses of the columns of a table; see `records.Table`."""

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
        """The column that orders the rows in time."""

    @property
    def features(self) -> list[str]:
        """The columns that a model sees."""


@dataclass(frozen=True, eq=False)
class Case:
    """A table and how it will be used.

    Attributes:
        config: the resolved configuration.
        table: the uses of the columns.
        columns: facts about each column.
        n_rows: number of rows.
        candidates: the candidates that are known before the search starts.
        with_folds: False for search=none.
    """

    config: Config
    table: Roles
    columns: Mapping[str, Column]
    n_rows: int
    candidates: tuple[Candidate, ...]
    with_folds: bool

    @property
    def model(self) -> Model:
        """The model that will be fitted on the table."""
        return self.config.model

    @property
    def evaluation(self) -> Evaluation:
        """The settings by which the table will be split."""
        return self.config.evaluation

    @property
    def classifies(self) -> bool:
        """True if the target holds classes."""
        return self.model.task is Task.CLASSIFICATION

    @property
    def predicts_numbers(self) -> bool:
        """True if the target holds numbers to predict."""
        return self.model.task is Task.REGRESSION

    @property
    def needs_target(self) -> bool:
        """True if the model needs a target."""
        return self.model.task is not Task.CLUSTERING

    @property
    def target(self) -> Column:
        """The target column; the table must have one."""
        return self.columns[str(self.table.target)]

    def kind(self, name: str) -> ColumnKind:
        """Return the kind of values in a feature column."""
        return self.columns[name].kind

    @property
    def numeric(self) -> list[str]:
        """The feature columns that are used as numbers."""
        return [name for name in self.table.features if name not in self.table.categorical]

    @property
    def n_test(self) -> int:
        """Number of rows that will be held out; scikit-learn rounds up."""
        return math.ceil(self.evaluation.test_size * self.n_rows)

    @property
    def n_train(self) -> int:
        """Number of rows that remain for the search."""
        return self.n_rows - self.n_test
