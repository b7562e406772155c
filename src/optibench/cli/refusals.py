"""Explain Hydra's refusals in one paragraph: the key, the value given, what is allowed."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from optibench.config.hydra_adapter import Override, parse_override
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def is_refusal(error: BaseException) -> bool:
    """Return whether Hydra or OmegaConf raised this error."""
    return type(error).__module__.partition(".")[0] in ("hydra", "omegaconf")


def explain(error: BaseException, words: Sequence[str]) -> str:
    """Return what Hydra refused among the `words` of the command line."""
    text = str(error)
    if match := re.search(r"Could not (?:override|delete from config\.) '([^']+)'", text):
        return _unknown_key(match[1], words)
    if match := re.search(
        r"Could not override '?([\w./-]+)'?\.\s*No match in the defaults list", text
    ):
        return _unknown_key(match[1], words)
    if wrong := _unreadable(words):
        return wrong
    text = text.partition("Config search path")[0]
    return " ".join(f"{text} {error.__cause__ or ''}".split()).rstrip(".") + "."


def _unreadable(words: Sequence[str]) -> str:
    """Name the first word that Hydra's grammar cannot read; empty if it can read all."""
    for word in words:
        if _is_readable(word):
            continue
        key, _, value = word.partition("=")
        quoted = f"'{key}=\"{value}\"'"
        return (
            f"{word}: Hydra cannot read this value; write text with brackets, braces, commas or "
            f"spaces in double quotes within single quotes: {quoted}."
        )
    return ""


def _is_readable(word: str) -> bool:
    from hydra.errors import OverrideParseException

    try:
        parse_override(word)
    except OverrideParseException:
        return False
    return True


def _unknown_key(key: str, words: Sequence[str]) -> str:
    overrides = _overrides(words)
    came = next((word for word in words if word.lstrip("+~").partition("=")[0] == key), key)
    parent, _, leaf = key.rpartition(".")
    allowed = _keys_of(parent, overrides.values())
    if not allowed:
        return f"{came}: the configuration has no {parent or key}."
    near = get_close_matches(leaf, allowed, n=1)
    prefix = f"{parent}." if parent else ""
    hint = f" Did you mean {prefix}{near[0]}?" if near else ""
    names = ", ".join(prefix + name for name in allowed)
    return f"{came}: there is no key {key}; allowed are {names}.{hint}"


def _overrides(words: Sequence[str]) -> dict[str, Override]:
    found = {word: parse_override(word) for word in words if _is_readable(word)}
    return {word: override for word, override in found.items() if override is not None}


def _keys_of(parent: str, overrides: Iterable[Override]) -> list[str]:
    """List the keys below `parent` in the chosen configuration, in a sweep the first one."""
    from omegaconf import DictConfig, OmegaConf

    from optibench.config.composition import compose

    group = parent.partition(".")[0]
    choices = [f"{group}={one.first_choice}" for one in overrides if one.key == group]
    try:
        node = OmegaConf.select(compose(choices), parent) if parent else compose([])
    except ConfigError:
        return []
    return sorted(str(key) for key in node) if isinstance(node, DictConfig) else []
