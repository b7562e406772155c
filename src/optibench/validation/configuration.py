"""Checks of the configuration alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from optibench.errors import ConfigError
from optibench.evaluation.scoring import METRICS
from optibench.evaluation.split import scaling_on
from optibench.search.points import corner_points
from optibench.search.space import parse_space
from optibench.validation.data_parallel import check_data_parallel

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.config.schema import Config

SEEDS = 2**32
FEWEST_FOLDS = 2
PARALLELISMS = {
    "trials": "each candidate x fold is a fit of its own",
    "data": "each fit uses all workers",
    "auto": "whichever fits, and is the faster one",
}
SMALLEST_SILHOUETTE_SAMPLE = 3  # two clusters, and one of them with two rows


def check_metric(config: Config, metric: str) -> None:
    """The metric belongs to the model's task."""
    task = config.model.task
    if metric in METRICS[task]:
        return
    other = next((t for t, metrics in METRICS.items() if metric in metrics), None)
    why = f"is a metric of {other}, and model={config.model.name} does" if other else "is unknown;"
    msg = f"evaluation.metric={metric!r} {why} {task}: allowed are {', '.join(METRICS[task])}."
    raise ConfigError(msg)


def check_ranges(config: Config, metric: str) -> None:
    """The numbers of the evaluation are in range."""
    del metric
    settings = config.evaluation
    wrong = {
        "test_size": (0 < settings.test_size < 1, "a share above 0 and below 1, such as 0.2"),
        "folds": (settings.folds >= FEWEST_FOLDS, f"a whole number of at least {FEWEST_FOLDS}"),
        "silhouette_sample": (
            settings.silhouette_sample >= SMALLEST_SILHOUETTE_SAMPLE,
            f"a whole number of at least {SMALLEST_SILHOUETTE_SAMPLE}",
        ),
    }
    for key, (right, allowed) in wrong.items():
        if not right:
            msg = f"evaluation.{key}={getattr(settings, key)}: allowed is {allowed}."
            raise ConfigError(msg)


def check_top_level(config: Config, metric: str) -> None:
    """Seeds are what NumPy takes; there is at least one run; folds run as trials."""
    del metric
    top = config.top
    wrong = {
        f"seed={top.seed}": (0 <= top.seed < SEEDS, f"0 to {SEEDS - 1}"),
        f"search.seed={config.search.seed}": (
            0 <= config.search.seed < SEEDS,
            f"0 to {SEEDS - 1}",
        ),
        f"repeats={top.repeats}": (top.repeats >= 1, "a whole number of at least 1"),
        f"backend.parallelism={config.backend.parallelism!r}": (
            config.backend.parallelism in PARALLELISMS,
            "; ".join(f"{name}: {what}" for name, what in PARALLELISMS.items()),
        ),
    }
    for came, (right, allowed) in wrong.items():
        if not right:
            msg = f"{came}: allowed is {allowed}."
            raise ConfigError(msg)


def check_search(config: Config, metric: str) -> None:
    """Limits of the search can be reached."""
    del metric
    limit, target = config.search.max_seconds, config.search.target
    if limit is not None and not (limit > 0 and math.isfinite(limit)):
        msg = f"search.max_seconds={limit:g}: allowed is a number above 0, or null for no limit."
        raise ConfigError(msg)
    if target is not None and not math.isfinite(target):
        msg = f"search.target={target}: allowed is a finite score, or null for none."
        raise ConfigError(msg)


def check_order(config: Config, metric: str) -> None:
    """Rows are split by groups or by time, not by both."""
    del metric
    settings = config.evaluation
    if settings.groups is not None and settings.time is not None:
        msg = (
            f"evaluation.groups={settings.groups!r} and evaluation.time={settings.time!r}: a "
            "table is split by one of them; set the other to null."
        )
        raise ConfigError(msg)


def check_scale(config: Config, metric: str) -> None:
    """`dataset.scale` is one of three words."""
    del metric
    scaling_on(config.dataset.scale, config.model.task)


def check_hyperparameters(config: Config, metric: str) -> None:
    """Every fixed hyperparameter, and every value of the space, is one that the model takes."""
    del metric
    model = config.model
    model.check(model.params)
    space = parse_space(model.space) if model.space else {}
    # Whole points: what one hyperparameter may be depends on another (a solver's norms).
    for point in corner_points(space) if space else ():
        model.check({**model.params, **point})


CONFIG_CHECKS: tuple[Callable[[Config, str], None], ...] = (
    check_metric,
    check_ranges,
    check_top_level,
    check_search,
    check_order,
    check_scale,
    check_hyperparameters,
    check_data_parallel,
)
