"""Refit the winner on the whole train part in the driver, and score it and its baselines."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from optibench.evaluation.scoring import baselines, score
from optibench.trials.worker import hold_threads

if TYPE_CHECKING:
    from optibench.records import Params, Split
    from optibench.strategies.settings import StrategySettings


def refit(settings: StrategySettings, parts: Split, params: Params) -> Any:
    """Fit the candidate `params` on the whole train part, under the thread budget of a trial."""
    model, seed, threads = settings.model, settings.seed, settings.threads
    with hold_threads(model.modules, threads):
        estimator = model.make(params, settings.facts, seed=seed, threads=threads)
        return model.fit(estimator, parts.X_train, parts.y_train, seed=seed)


def evaluate(settings: StrategySettings, parts: Split, estimator: Any) -> dict[str, float]:
    """Score the fitted winner on both parts, and the baselines on the held-out part.

    Returns:
        `<metric>` (held-out), `train_<metric>`, `default_<metric>` (the library's default
        hyperparameters, fitted on the same rows, where `evaluation.default_fit` is on) and, except
        for clustering, `baseline_<metric>` (the majority class, or the mean).
    """
    model, task, scoring = settings.model, settings.task, settings.scoring
    with hold_threads(model.modules, settings.threads):
        predicted = model.predict(estimator, parts.X_test)
        held_out = score(task, parts.X_test, parts.y_test, predicted, scoring)
        predicted = model.predict(estimator, parts.X_train)
        train = score(task, parts.X_train, parts.y_train, predicted, scoring)
        defaults = settings.evaluation.default_fit
        return {
            **held_out.values,
            **{f"train_{metric}": value for metric, value in train.values.items()},
            **(_default_scores(settings, parts) if defaults else {}),
            **baselines(parts, task, scoring),
        }


def _default_scores(settings: StrategySettings, parts: Split) -> dict[str, float]:
    """Score the library's defaults on the held-out part; NaN where they do not fit the data."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user did not choose these hyperparameters
            default = refit(settings, parts, {})
    except ValueError:  # K-means has 8 clusters by default, and there are fewer rows
        return {f"default_{metric}": math.nan for metric in settings.metrics}
    predicted = settings.model.predict(default, parts.X_test)
    scores = score(settings.task, parts.X_test, parts.y_test, predicted, settings.scoring)
    return {f"default_{metric}": value for metric, value in scores.values.items()}
