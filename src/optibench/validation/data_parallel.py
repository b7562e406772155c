"""What cannot be had where each fit uses all workers (backend.parallelism=data)."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from optibench.errors import ConfigError
from optibench.search.points import corner_points
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from optibench.config.schema import Config
    from optibench.contracts import DistributedFitSupport

SEARCHES = ("none", "grid", "random")  # the others go on from what a worker keeps


def check_data_parallel(config: Config, metric: str) -> None:
    """The engine has a trainer for the model, the search and the split can be had."""
    del metric
    if config.backend.parallelism == "data":
        _check(config)


def why_no_data(config: Config) -> str | None:
    """What is in the way of backend.parallelism=data, or None."""
    try:
        _check(config)
    except ConfigError as error:
        return str(error)
    return None


def _check(config: Config) -> None:
    support = _support_with_trainer(config)
    if config.search.name not in SEARCHES:
        msg = (
            f"search={config.search.name} cannot be had with backend.parallelism=data; allowed "
            f"are {', '.join(SEARCHES)}."
        )
        raise ConfigError(msg)
    for key in ("groups", "time"):
        column = getattr(config.evaluation, key)
        if column is not None:
            msg = (
                f"evaluation.{key}={column!r}: with backend.parallelism=data rows are dealt out "
                "one by one, by a hash. Set it to null, or take backend.parallelism=trials."
            )
            raise ConfigError(msg)
    space = parse_space(config.space) if config.space else {}
    for point in corner_points(space) if space else ({},):
        support.check({**config.model.params, **point})


def _support_with_trainer(config: Config) -> DistributedFitSupport:
    """Trainers are the modules `optibench/backends/<engine>/<model>.py`."""
    engine, model = config.backend.name, config.model.name
    package = f"optibench.backends.{engine}"
    support = config.model.distributed_fit
    if find_spec(f"{package}.{model}") is not None and support is not None:
        return support
    modules = {found.name for found in iter_modules(import_module(package).__path__)}
    models = {found.name for found in iter_modules(import_module("optibench.models").__path__)}
    trained = sorted(modules & models)
    what = f"it trains {', '.join(trained)}" if trained else "it trains none; dask and spark do"
    msg = (
        f"backend.parallelism=data: backend={engine} has no trainer for model={model} ({what}). "
        "Take backend.parallelism=trials."
    )
    raise ConfigError(msg)
