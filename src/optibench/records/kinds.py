"""Types that every package uses: the task of a model, and how things end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

Params = Mapping[str, Any]
MIB = 2**20  # bytes


class Task(StrEnum):
    """The task of a model, which decides the metrics, the split and the folds."""

    CLASSIFICATION = "classification"
    CLUSTERING = "clustering"
    REGRESSION = "regression"


class ColumnKind(StrEnum):
    """What a column holds, missing values aside."""

    NUMBER = "numbers"
    BOOLEAN = "true and false"
    TEXT = "text"
    DATE = "dates"
    EMPTY = "nothing"
    OTHER = "values of several kinds"


class Status(StrEnum):
    """How a trial, a candidate or a run ended, with MLflow's names."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
