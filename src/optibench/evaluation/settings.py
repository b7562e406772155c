"""The keys of conf/evaluation/: how the table is split and how candidates are scored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationSettings:
    """The evaluation protocol.

    Attributes:
        name: the choice in conf/evaluation/.
        test_size: share of the rows that is held out from the search, above 0 and below 1.
        folds: cross-validation folds of the train part, at least 2.
        metric: the metric that ranks candidates; None: the first metric of the task (accuracy,
            silhouette or rmse).
        silhouette_sample: the silhouette is computed on at most this number of rows.
        groups: a column; rows that share its value are never on both sides of a split.
        time: a column that orders the rows; every split trains on the earlier rows.
        default_fit: also fit the library's default hyperparameters, for `default_<metric>`.
    """

    name: str = "default"
    test_size: float = 0.2
    folds: int = 5
    metric: str | None = None
    silhouette_sample: int = 10_000
    groups: str | None = None
    time: str | None = None
    default_fit: bool = True
