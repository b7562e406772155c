"""Hydra's refusals in one paragraph: the key, the value that came, what is allowed."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_refusal(error: BaseException) -> bool:
    """True for an error that Hydra or OmegaConf raised while composing."""
    return type(error).__module__.partition(".")[0] in ("hydra", "omegaconf")


def explain(error: BaseException, words: Sequence[str]) -> str:
    """Tell what Hydra refused among the command line's `words`."""
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
    """Name the first word that Hydra's grammar cannot read; empty where it can read all."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    parser = OverridesParser.create()
    for word in words:
        try:
            parser.parse_overrides([word] if "=" in word[1:] and word[0] != "-" else [])
        except OverrideParseException:
            key, _, value = word.partition("=")
            quoted = f"'{key}=\"{value}\"'"
            return (
                f"{word}: Hydra cannot read this value; text with brackets, braces, commas or "
                f"spaces is given in double quotes within single ones, {quoted}."
            )
    return ""


def _unknown_key(key: str, words: Sequence[str]) -> str:
    came = next((word for word in words if word.lstrip("+~").partition("=")[0] == key), key)
    parent, _, leaf = key.rpartition(".")
    allowed = _keys_of(parent, words)
    if not allowed:
        return f"{came}: the configuration has no {parent or key}."
    near = get_close_matches(leaf, allowed, n=1)
    prefix = f"{parent}." if parent else ""
    hint = f" Did you mean {prefix}{near[0]}?" if near else ""
    names = ", ".join(prefix + name for name in allowed)
    return f"{came}: there is no key {key}; allowed are {names}.{hint}"


def _keys_of(parent: str, words: Sequence[str]) -> list[str]:
    """The keys below `parent` in the configuration that `words` choose, for a sweep its first."""
    from omegaconf import DictConfig, OmegaConf

    from optibench.config.composition import compose

    group = parent.partition(".")[0]
    choices = [word.partition(",")[0] for word in words if word.startswith(f"{group}=")]
    try:
        node = OmegaConf.select(compose(choices), parent) if parent else compose([])
    except ConfigError:
        return []
    return sorted(str(key) for key in node) if isinstance(node, DictConfig) else []
