"""Command-line words before Hydra sees them: credentials taken out, open keys rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optibench.config.composition import normalise
from optibench.config.registry import GROUPS
from optibench.redaction import has_secret

SECRET_VARIABLE = "OPTIBENCH_SECRET_{}"  # noqa: S105 - a variable's name, not a secret


def prepare(words: Sequence[str]) -> list[str]:
    """Rewrite the words so that Hydra can write them to its output folder."""
    return normalise([hide_secret(word) for word in words])


def hide_secret(word: str) -> str:
    """Move the value of `key=value` into the environment where it carries a credential.

    Hydra writes overrides to disk before any code of ours runs, so the credential must not be in
    them. Jobs of a sweep inherit the environment.
    """
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-") or not has_secret(value, key.lstrip("+~")):
        return word
    if value.startswith("${"):
        return word
    number = 0
    while os.environ.get(name := SECRET_VARIABLE.format(number), value) != value:
        number += 1
    os.environ[name] = value.strip("'\"")
    return f"{key}=${{oc.env:{name}}}"


def overrides_of(config: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Turn what `optibench.run` was given into overrides, in Hydra's grammar."""
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
            yield f"{name}={_literal(value)}"


def _literal(value: Any) -> str:
    """One value in the grammar of Hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_literal(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\") if str(value).endswith("\\") else str(value)
    return "'" + text.replace("'", "\\'") + "'"
