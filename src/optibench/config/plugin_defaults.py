"""The configuration of a plug-in from another package: the defaults of its dataclass.

Such a plug-in ships no YAML file. What a built-in one has in `conf/<group>/<name>.yaml` follows
from the fields of its class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from optibench.config.registry import find
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def defaults_of(group: str, name: str) -> DictConfig:
    """Return what `group=name` adds to the configuration.

    A field without a default is mandatory: `group.field=value` must be given. The seed of a search
    is the top-level seed, as in the YAML files of the built-in ones.

    Raises:
        ConfigError: the plug-in cannot be imported, or a default cannot stand in a configuration.
    """
    schema = find(group, name)
    try:
        structured = OmegaConf.structured(schema)
        defaults = OmegaConf.to_container(structured, enum_to_str=True)
    except OmegaConfBaseException as error:
        msg = (
            f"{group}={name}: {schema.__qualname__} has a field that a configuration cannot hold: "
            f"{error}"
        )
        raise ConfigError(msg) from error
    values = {**_by_key(defaults), "name": name}
    if group == "search":
        values["seed"] = "${seed}"
    if group == "model":
        # A distribution travels as a list of one, which replaces what it is merged with.
        space = _by_key(values.get("space") or {})
        values["space"] = {k: [v] if isinstance(v, dict) else v for k, v in space.items()}
    return OmegaConf.create(values)


def _by_key(values: object) -> Mapping[str, object]:
    """Narrow what OmegaConf returns to the mapping that a dataclass becomes."""
    if not isinstance(values, dict):
        msg = f"{values!r} is no mapping"
        raise TypeError(msg)
    return {str(key): value for key, value in values.items()}
