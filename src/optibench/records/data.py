"""Records of the data: the table as read, encoded and split, predictions and scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """A table as read, before it is encoded, which the validator checks.

    Attributes:
        name: the dataset's name in the configuration.
        frame: (n_samples, n_columns), target, groups and time columns included.
        target: the target column, or None.
        source: where it was read from: a path or `builtin:<name>`.
        categorical: feature columns to treat as categories.
        groups: the column whose equal values stay on one side of every split, or None.
        time: the column that orders the rows in time, or None.
    """

    name: str
    frame: pd.DataFrame
    target: str | None
    source: str
    categorical: tuple[str, ...] = ()
    groups: str | None = None
    time: str | None = None

    @property
    def features(self) -> list[str]:
        """The columns that a model is fitted on: all but target, groups and time."""
        others = {self.target, self.groups, self.time}
        return [str(column) for column in self.frame.columns if column not in others]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The encoded table: a float matrix, and classes as 0..n_classes-1 or numbers to predict.

    Attributes:
        X: (n_samples, n_features) float64; categories as their codes, missing values as NaN.
        y: (n_samples,) int64 codes into `classes`, for regression the float64 values, or None for
            clustering.
        classes: the original class labels, sorted; empty if there are none.
        categories: labels of each categorical feature, in the order of their codes.
        groups: (n_samples,) codes, or None.  time: (n_samples,) sort keys, or None.
        digest: SHA-256 of the content, hexadecimal.
        whole: number of rows of the table if X holds only its first rows, else None.
    """

    name: str
    X: NDArray[np.float64]
    y: NDArray[Any] | None
    feature_names: tuple[str, ...]
    classes: tuple[Any, ...]
    categories: Mapping[str, tuple[str, ...]]
    source: str
    digest: str
    target: str | None = None
    groups: NDArray[np.int64] | None = None
    time: NDArray[Any] | None = None
    whole: int | None = None

    @property
    def n_samples(self) -> int:
        """Number of rows of the table."""
        return len(self.X) if self.whole is None else self.whole

    def head(self, rows: int) -> Dataset:
        """Return a copy of the first rows, all that is needed of the table after the split."""
        return replace(
            self, X=self.X[:rows].copy(), y=None, groups=None, time=None, whole=self.n_samples
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Train and held-out part after scaling, and the folds of the train part.

    Attributes:
        X_train, X_test: features, scaled if scaling is on.
        y_train, y_test: targets as in `Dataset`.
        folds: (train, validation) row numbers within the train part; empty for search=none.
        scaler: the fitted `StandardScaler`, or None if scaling is off.
    """

    X_train: NDArray[np.float64]
    X_test: NDArray[np.float64]
    y_train: NDArray[Any] | None
    y_test: NDArray[Any] | None
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
    scaler: Any | None


@dataclass(frozen=True)
class DataFacts:
    """Facts about the data from which an estimator is made, apart from its hyperparameters.

    Attributes:
        n_classes: number of classes; 0 if there are none.
        feature_types: per feature 'q' (quantitative) or 'c' (categorical); None: all quantitative.
    """

    n_classes: int
    feature_types: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions of a fitted estimator for some rows.

    Attributes:
        labels: (n,) class codes, cluster numbers, or for regression the predicted values.
        probabilities: (n, n_classes), or None if the task has none.
        inertia: sum of squared distances of these rows to their nearest centre, or None.
    """

    labels: NDArray[Any]
    probabilities: NDArray[Any] | None = None
    inertia: float | None = None


@dataclass(frozen=True)
class Scores:
    """Every metric of the task.

    Attributes:
        values: by metric; NaN if the metric is undefined.
        undefined: by undefined metric, the reason.
    """

    values: Mapping[str, float]
    undefined: Mapping[str, str] = field(default_factory=dict)
