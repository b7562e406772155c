"""Turn a composed configuration into a `Config`: merge each group into its plug-in's schema."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import (
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from optibench.config.registry import GROUPS, find
from optibench.config.schema import Config, TopLevel
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def resolve(composed: DictConfig) -> Config:
    """Check every key of `composed` against its schema and build the plug-ins.

    Raises:
        ConfigError: an unknown key, a value of a wrong type, an unknown plug-in.
    """
    try:
        plain = cast("dict[str, Any]", OmegaConf.to_container(composed, resolve=True))
    except (OmegaConfBaseException, ValueError) as error:
        msg = f"The configuration cannot be resolved: {_first_line(error)}."
        raise ConfigError(msg) from error
    plain.pop("hydra", None)
    top_keys = {key: value for key, value in plain.items() if key not in GROUPS}
    top = _fill(TopLevel, top_keys, "")
    groups = {group: _group(group, plain.get(group)) for group in GROUPS}
    return Config(top=top, resolved=plain, **groups)


def _group(group: str, values: object) -> Any:
    if not isinstance(values, dict) or not isinstance(values.get("name"), str):
        msg = f"{group}={values!r}: a choice of conf/{group}/ is needed, with its `name` as text."
        raise ConfigError(msg)
    if group == "model":
        values = {
            **values,
            "space": _unwrap(values.get("space") or {}),
            "params": values.get("params") or {},
        }
    return _fill(find(group, values["name"]), values, f"{group}.")


def _unwrap(space: Mapping[str, Any]) -> dict[str, Any]:
    """Take each distribution out of its list of one (see composition.py).

    A key whose value is null leaves the space.
    """
    unwrapped = {}
    for key, entry in space.items():
        wrapped = isinstance(entry, list) and len(entry) == 1 and isinstance(entry[0], dict)
        if entry is not None:
            unwrapped[key] = entry[0] if wrapped else entry
    return unwrapped


def _fill(schema: type[Any], values: Mapping[str, Any], prefix: str) -> Any:
    try:
        merged = OmegaConf.merge(_writable(schema), values)
        return OmegaConf.to_object(merged)
    except ConfigKeyError as error:
        allowed = [field.name for field in fields(schema)]
        wrong = str(error.full_key or error.key)
        near = get_close_matches(wrong, allowed, n=1)
        hint = f" Did you mean {prefix}{near[0]}?" if near else ""
        msg = f"{prefix}{wrong}: there is no such key; allowed are {', '.join(allowed)}.{hint}"
        raise ConfigError(msg) from error
    except (ValidationError, MissingMandatoryValue) as error:
        key = str(error.full_key or error.key)
        value = values.get(key) if isinstance(key, str) else None
        wanted = next(
            (field.type for field in fields(schema) if field.name == key), "another type"
        )
        msg = f"{prefix}{key}={value!r}: {_first_line(error)}; allowed is {wanted}."
        raise ConfigError(msg) from error


def _writable(schema: type[Any]) -> Any:
    """Return the schema to merge into.

    OmegaConf would keep a frozen dataclass inside it read-only, and add the default entries of an
    open dictionary to those that are given. The given configuration holds all entries already.
    """
    structured = OmegaConf.structured(schema)
    for field in fields(schema):
        if is_dataclass(field.default_factory):
            OmegaConf.set_readonly(structured[field.name], None)
        elif field.default_factory is not MISSING and isinstance(field.default_factory(), dict):
            with read_write(structured):
                structured[field.name] = {}
    return structured


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
