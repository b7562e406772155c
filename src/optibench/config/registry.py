"""From a name to a plug-in's class: `backend=dask` is `PLUGIN` of `optibench.backends.dask`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from optibench.errors import ConfigError

ROOMS = {
    "model": "optibench.models",
    "backend": "optibench.backends",
    "search": "optibench.search",
    "dataset": "optibench.datasets",
}
SETTINGS = {
    "evaluation": "optibench.evaluation.settings",
    "profiling": "optibench.config.schema:ProfilingSettings",
    "tracking": "optibench.config.schema:TrackingSettings",
}
GROUPS = (*ROOMS, *SETTINGS)
# Choices that share a module; any other choice has a module of its own name.
SHARED_MODULES = {
    ("dataset", name): "builtin"
    for name in ("breast_cancer", "diabetes", "digits", "iris", "wine")
}


def find(group: str, name: str) -> type[Any]:
    """Return the dataclass that is both the schema and the plug-in of `group=name`.

    Raises:
        ConfigError: no plug-in of this name exists.
    """
    if group in SETTINGS:
        module, _, attribute = SETTINGS[group].partition(":")
        return _load(module, attribute or "PLUGIN")
    module = f"{ROOMS[group]}.{SHARED_MODULES.get((group, name), name)}"
    found = name.isidentifier() and importlib.util.find_spec(module) is not None
    if not found or not hasattr(importlib.import_module(module), "PLUGIN"):
        msg = (
            f"{group}.name={name!r}: no such {group}; "
            f"{ROOMS[group]} has no plug-in module of that name."
        )
        raise ConfigError(msg)
    return _load(module, "PLUGIN")


def _load(module: str, attribute: str) -> type[Any]:
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, type):
        msg = f"{module}.{attribute} must be a class, it is {found!r}."
        raise TypeError(msg)
    return found
