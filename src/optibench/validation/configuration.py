"""Checks that need the configuration alone."""

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
MIN_FOLDS = 2
PARALLELISMS = {
    "trials": "many fits run side by side",
    "data": "each fit uses all workers",
    "auto": "the faster one of those that fit into memory",
}
MIN_SILHOUETTE_SAMPLE = 3  # two clusters, one of them with two rows


def check_metric(config: Config, metric: str) -> None:
    """Require a metric of the model's task."""
    task = config.model.task
    if metric in METRICS[task]:
        return
    other = next((t for t, metrics in METRICS.items() if metric in metrics), None)
    problem = f"is a metric of {other}" if other else "is unknown"
    msg = (
        f"evaluation.metric={metric!r} {problem}: model={config.model.name} does {task}, for "
        f"which {', '.join(METRICS[task])} are allowed."
    )
    raise ConfigError(msg)


def check_ranges(config: Config, metric: str) -> None:
    """Require numbers of the evaluation that are in range."""
    del metric
    settings = config.evaluation
    size, folds, sample = settings.test_size, settings.folds, settings.silhouette_sample
    _require(0 < size < 1, f"evaluation.test_size={size}", "a share above 0 and below 1")
    _require(folds >= MIN_FOLDS, f"evaluation.folds={folds}", _at_least(MIN_FOLDS))
    _require(
        sample >= MIN_SILHOUETTE_SAMPLE,
        f"evaluation.silhouette_sample={sample}",
        _at_least(MIN_SILHOUETTE_SAMPLE),
    )


def check_top_level(config: Config, metric: str) -> None:
    """Require seeds that NumPy accepts, at least one repeat, and a known parallelism."""
    del metric
    seeds = {"seed": config.top.seed, "search.seed": config.search.seed}
    for key, seed in seeds.items():
        _require(0 <= seed < SEEDS, f"{key}={seed}", f"0 to {SEEDS - 1}")
    repeats, parallelism = config.top.repeats, config.backend.parallelism
    _require(repeats >= 1, f"repeats={repeats}", _at_least(1))
    _require(
        parallelism in PARALLELISMS,
        f"backend.parallelism={parallelism!r}",
        ", ".join(f"{name} ({meaning})" for name, meaning in PARALLELISMS.items()),
    )


def check_search(config: Config, metric: str) -> None:
    """Require limits that a search can reach."""
    del metric
    limit, target = config.search.max_seconds, config.search.target
    if limit is not None and not (limit > 0 and math.isfinite(limit)):
        msg = f"search.max_seconds={limit:g}: allowed is a number above 0, or null for no limit."
        raise ConfigError(msg)
    if target is not None and not math.isfinite(target):
        msg = f"search.target={target}: allowed is a finite score, or null for none."
        raise ConfigError(msg)


def check_order(config: Config, metric: str) -> None:
    """Refuse groups together with time."""
    del metric
    settings = config.evaluation
    if settings.groups is not None and settings.time is not None:
        msg = (
            f"evaluation.groups={settings.groups!r} and evaluation.time={settings.time!r}: a "
            "table can be split by only one of them; set the other to null."
        )
        raise ConfigError(msg)


def check_scale(config: Config, metric: str) -> None:
    """Require true, false or auto for `dataset.scale`."""
    del metric
    scaling_on(config.dataset.scale, config.model.task)


def check_hyperparameters(config: Config, metric: str) -> None:
    """Require hyperparameters and values of the search space that the model accepts."""
    del metric
    model = config.model
    model.check(model.params)
    space = parse_space(model.space) if model.space else {}
    # Whole points, because a hyperparameter's range may depend on another (a solver's norms).
    for point in corner_points(space) if space else ():
        model.check({**model.params, **point})


def _require(condition: bool, came: str, allowed: str) -> None:  # noqa: FBT001 - as in assert
    if not condition:
        msg = f"{came}: allowed is {allowed}."
        raise ConfigError(msg)


def _at_least(number: int) -> str:
    return f"a whole number of at least {number}"


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
