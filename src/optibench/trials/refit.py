"""The winner, refitted on the whole train part in the driver, and judged beside its baselines."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from optibench.evaluation.scoring import baselines, score
from optibench.records import FittedModel
from optibench.trials.worker import hold_threads

if TYPE_CHECKING:
    import pandas as pd

    from optibench.records import Params, Split
    from optibench.runner.settings import PreparedRun

EXAMPLE_ROWS = 5


def refit(prepared: PreparedRun, parts: Split, params: Params) -> Any:
    """Fit the candidate `params` on the whole train part, under the thread budget of a trial."""
    model, threads = prepared.config.model, prepared.budget.threads
    with hold_threads(model.modules, threads):
        estimator = model.make(
            params, prepared.facts, seed=prepared.config.top.seed, threads=threads
        )
        return model.fit(estimator, parts.X_train, parts.y_train, seed=prepared.config.top.seed)


def evaluate(prepared: PreparedRun, parts: Split, estimator: Any) -> dict[str, float]:
    """Score the fitted winner on both parts, and the baselines on the held-out part.

    Returns:
        `<metric>` (held-out), `train_<metric>`, `default_<metric>` (the library's default
        hyperparameters, fitted alike, where `evaluation.default_fit` is on) and, for classes,
        `baseline_<metric>` (the majority class).
    """
    model, task, settings = prepared.config.model, prepared.task, prepared.scoring
    with hold_threads(model.modules, prepared.budget.threads):
        held_out = score(
            task, parts.X_test, parts.y_test, model.predict(estimator, parts.X_test), settings
        )
        train = score(
            task, parts.X_train, parts.y_train, model.predict(estimator, parts.X_train), settings
        )
        return {
            **held_out.values,
            **{f"train_{metric}": value for metric, value in train.values.items()},
            **(_default_scores(prepared, parts) if prepared.config.evaluation.default_fit else {}),
            **baselines(parts, task, settings),
        }


def _default_scores(prepared: PreparedRun, parts: Split) -> dict[str, float]:
    """The library's defaults on the held-out part; NaN where they do not fit the data."""
    model = prepared.config.model
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not of the user's candidates; the scores tell
            plain = refit(prepared, parts, {})
    except ValueError:  # K-means' default of 8 clusters, and fewer rows than that
        return {f"default_{metric}": math.nan for metric in prepared.metrics}
    prediction = model.predict(plain, parts.X_test)
    scores = score(prepared.task, parts.X_test, parts.y_test, prediction, prepared.scoring)
    return {f"default_{metric}": value for metric, value in scores.values.items()}


def fitted_model(prepared: PreparedRun, scaler: Any | None, estimator: Any) -> FittedModel:
    """The winner with all that is needed to use it elsewhere."""
    dataset, model = prepared.dataset, prepared.config.model
    return FittedModel(
        task=prepared.task,
        estimator=estimator,
        scaler=scaler,
        classes=dataset.classes,
        feature_names=dataset.feature_names,
        categories=dataset.categories,
        sample=_sample(prepared),
        libraries=model.libraries,
    )


def _sample(prepared: PreparedRun) -> pd.DataFrame:
    """The first rows as a caller would send them: categories as text, nothing scaled."""
    import pandas as pd

    dataset = prepared.dataset
    frame = pd.DataFrame(dataset.X[:EXAMPLE_ROWS], columns=list(dataset.feature_names))
    for name, labels in dataset.categories.items():
        decoded = [None if code != code else labels[int(code)] for code in frame[name]]  # noqa: PLR0124 - NaN
        frame[name] = pd.Series(decoded, dtype=object)
    return frame
