"""What the checks of a table look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from optibench.datasets.columns import Kind, kind_of
from optibench.records import Task

if TYPE_CHECKING:
    import pandas as pd

    from optibench.config.schema import Config
    from optibench.contracts import EvaluationSettings, Model
    from optibench.records import Candidate, Table


NAMES_TOLD = 5


@dataclass(frozen=True, eq=False)
class Case:
    """A table and what is to be done with it."""

    config: Config
    table: Table
    candidates: tuple[Candidate, ...]
    with_folds: bool

    @property
    def model(self) -> Model:
        """The model that will see the table."""
        return self.config.model

    @property
    def evaluation(self) -> EvaluationSettings:
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
    def target(self) -> pd.Series:
        """The target column; call it only where there is one."""
        return self.table.frame[self.table.target]

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each feature column holds."""
        return {name: kind_of(self.table.frame[name]) for name in self.table.features}

    @property
    def numeric(self) -> list[str]:
        """The feature columns that are used as numbers."""
        return [name for name in self.table.features if name not in self.table.categorical]

    @property
    def n_test(self) -> int:
        """Rows that will be held out; scikit-learn rounds up."""
        return math.ceil(self.evaluation.test_size * len(self.table.frame))

    @property
    def n_train(self) -> int:
        """Rows that remain for the search."""
        return len(self.table.frame) - self.n_test


def plain(value: Any) -> Any:
    """Take a value out of its NumPy type, so that a message says 3 and not np.int64(3)."""
    return value.item() if hasattr(value, "item") else value


def listed(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:NAMES_TOLD])
    more = len(names) - NAMES_TOLD
    return f"{shown} and {more} more" if more > 0 else shown
