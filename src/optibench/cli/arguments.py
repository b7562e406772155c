"""The words of the command line before Hydra sees them: secrets hidden, open keys rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optibench.config.composition import normalise
from optibench.config.hydra_adapter import parse_override, write_value
from optibench.config.registry import GROUPS
from optibench.redaction import has_secret

SECRET_VARIABLE = "OPTIBENCH_SECRET_{}"  # noqa: S105 - a variable's name, not a secret


def prepare(words: Sequence[str]) -> list[str]:
    """Rewrite the words so that Hydra can write them to its output folder."""
    return normalise([hide_secret(word) for word in words])


def hide_secret(word: str) -> str:
    """Move the value of `key=value` into the environment if it holds a credential.

    Hydra writes overrides to disk before it calls this program, so they must not hold the
    credential. The jobs of a sweep inherit the environment.
    """
    # Not with Hydra's grammar, which cannot read every password, and splits one at its commas.
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-") or not has_secret(value, key.lstrip("+~")):
        return word
    if value.startswith("${"):
        return word
    number = 0
    while os.environ.get(name := SECRET_VARIABLE.format(number), value) != value:
        number += 1
    os.environ[name] = _unquoted(word, value)
    return f"{key}=${{oc.env:{name}}}"


def _unquoted(word: str, value: str) -> str:
    from hydra.errors import OverrideParseException

    try:
        override = parse_override(word)
    except OverrideParseException:
        return value.strip("'\"")
    return value if override is None or override.string is None else override.string


def overrides_of(config: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Turn the configuration given to `optibench.run` into overrides, in Hydra's grammar."""
    if isinstance(config, str):
        return [config]
    if isinstance(config, Mapping):
        return list(_flatten(config, ""))
    return list(config)


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and not name.startswith(("model.params.", "model.space.")):
            group = dict(value)
            if name in GROUPS and "name" in group:
                yield f"{name}={group.pop('name')}"
            yield from _flatten(group, f"{name}.")
        else:
            yield f"{name}={write_value(value)}"
