"""Put together the winner and everything that is needed to use it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.records import FittedModel
from optibench.strategies.settings import EXAMPLE_ROWS

if TYPE_CHECKING:
    import pandas as pd

    from optibench.records import Dataset
    from optibench.runner.settings import PreparedRun


def make_fitted_model(prepared: PreparedRun, scaler: Any | None, estimator: Any) -> FittedModel:
    """Return the fitted `estimator` with its scaler, classes, columns and example rows."""
    model, dataset = prepared.config.model, prepared.dataset
    return FittedModel(
        task=model.task,
        estimator=estimator,
        scaler=scaler,
        classes=dataset.classes,
        feature_names=dataset.feature_names,
        categories=dataset.categories,
        sample=_sample(dataset),
        libraries=model.libraries,
    )


def _sample(dataset: Dataset) -> pd.DataFrame:
    """Return the first rows as a caller would send them: categories as text, nothing scaled."""
    import pandas as pd

    frame = pd.DataFrame(dataset.X[:EXAMPLE_ROWS], columns=list(dataset.feature_names))
    for name, labels in dataset.categories.items():
        decoded = [None if code != code else labels[int(code)] for code in frame[name]]  # noqa: PLR0124 - NaN
        frame[name] = pd.Series(decoded, dtype=object)
    return frame
