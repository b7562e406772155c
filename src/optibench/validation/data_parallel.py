"""Refuse what backend.parallelism=data does not support."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from optibench.config.registry import BUILT_IN
from optibench.errors import ConfigError
from optibench.search.points import corner_points
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from optibench.config.schema import Config
    from optibench.contracts import DistributedFitSupport

SEARCHES = ("none", "grid", "random")  # the others continue fits that a worker has kept


def check_data_parallel(config: Config, metric: str) -> None:
    """Require a model, a search and a split that the engine supports data-parallel."""
    del metric
    if config.backend.parallelism == "data":
        _check(config)


def why_no_data(config: Config) -> str | None:
    """Return why backend.parallelism=data is not possible, or None if it is."""
    try:
        _check(config)
    except ConfigError as error:
        return str(error)
    return None


def _check(config: Config) -> None:
    support = _support_with_trainer(config)
    if config.search.name not in SEARCHES:
        msg = (
            f"search={config.search.name} cannot be used with backend.parallelism=data. Use "
            f"search={' or search='.join(SEARCHES)}, or set backend.parallelism=trials."
        )
        raise ConfigError(msg)
    columns = {"groups": config.evaluation.groups, "time": config.evaluation.time}
    for key, column in columns.items():
        if column is not None:
            msg = (
                f"evaluation.{key}={column!r} cannot be used with backend.parallelism=data, which "
                f"assigns each row to a part by a hash. Set evaluation.{key}=null, or set "
                "backend.parallelism=trials."
            )
            raise ConfigError(msg)
    space = parse_space(config.space) if config.space else {}
    for point in corner_points(space) if space else ({},):
        support.check({**config.model.params, **point})


def _support_with_trainer(config: Config) -> DistributedFitSupport:
    """Return the data-parallel support of a model that the engine has a trainer for."""
    engine, model = config.backend.name, config.model.name
    trained = [] if "backend" in config.installed else _trained_by(engine)
    support = None if "model" in config.installed else config.model.distributed_fit
    if model in trained and support is not None:
        return support
    others = f"only for {', '.join(trained)}" if trained else "for no model; dask and spark have"
    msg = (
        f"backend.parallelism=data: backend={engine} has no trainer for model={model} ({others}). "
        "Set backend.parallelism=trials."
    )
    raise ConfigError(msg)


def _trained_by(engine: str) -> list[str]:
    """Return the models with a trainer: the modules `optibench/backends/<engine>/<model>.py`."""
    package = import_module(f"optibench.backends.{engine}")
    modules = {found.name for found in iter_modules(package.__path__)}
    return sorted(modules & BUILT_IN["model"].keys())
