"""The only module that uses Hydra's internals: its override parser and its source of YAML files.

tests/config/test_hydra_adapter.py fails and names what is missing when Hydra changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Override as HydraOverride
    from hydra.core.override_parser.types import ParsedElementType
    from hydra.plugins.config_source import ConfigResult
    from omegaconf import Container


class Override:
    """One word of the command line that sets a key, read by Hydra's own grammar.

    Attributes:
        key: the dotted key or the configuration group.
        text: the value as it was written, in Hydra's grammar.
        is_plain: False for a deletion (`~key=value`) and for a package (`key@package=value`).
    """

    def __init__(self, parsed: HydraOverride) -> None:
        self._parsed = parsed
        self.key = parsed.key_or_group
        self.text = parsed.get_value_string()
        self.is_plain = not parsed.is_delete() and parsed.package is None

    @property
    def string(self) -> str | None:
        """The value without its quotes and escapes; None where it is not one string."""
        value = self._parsed.value()
        return value if isinstance(value, str) else None

    @property
    def first_choice(self) -> str:
        """The first choice of a sweep; the whole value where it is not a list of choices."""
        from hydra.core.override_parser.types import ChoiceSweep, Transformer

        value = self._parsed.value()
        return Transformer.str(value.list[0]) if isinstance(value, ChoiceSweep) else self.text

    def with_listed_mappings(self) -> str:
        """Return the value with each mapping in a list of one: `[{low: 1}]` for `{low: 1}`.

        In a sweep this holds for each choice.
        """
        from hydra.core.override_parser.types import ChoiceSweep, Transformer

        value = self._parsed.value()
        if isinstance(value, dict):
            return f"[{self.text}]"
        if not isinstance(value, ChoiceSweep):
            return self.text
        if not any(isinstance(choice, dict) for choice in value.list):
            return self.text
        choices = ([choice] if isinstance(choice, dict) else choice for choice in value.list)
        text = ",".join(Transformer.str(choice) for choice in choices)
        text = text if value.simple_form else f"choice({text})"
        text = f"shuffle({text})" if value.shuffle else text
        return f"tag({','.join(sorted(value.tags))},{text})" if value.tags else text


def parse_override(word: str) -> Override | None:
    """Read one word of the command line; None for a flag or its value.

    Raises:
        hydra.errors.OverrideParseException: Hydra's grammar does not allow the word.
    """
    if "=" not in word[1:] or word.startswith("-"):
        return None
    (parsed,) = _parser().parse_overrides([word])
    return Override(parsed)


def write_value(value: object) -> str:
    """Write a Python value in the grammar of Hydra's overrides."""
    from hydra.core.override_parser.types import Transformer

    return Transformer.str(_element(value))


def install_file_source(adapt: Callable[[str, Container], None]) -> None:
    """Make Hydra call `adapt` with the path and the content of every YAML file that it reads.

    Args:
        adapt: changes the content in place; the path is relative to the configuration folder.
    """
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins

    class AdaptedFileSource(FileConfigSource):
        """Hydra's own source, followed by `adapt`."""

        def load_config(self, config_path: str) -> ConfigResult:
            result = super().load_config(config_path)
            adapt(config_path, result.config)
            return result

    Plugins.instance()  # registers the original source now, so that it does not replace this one
    SourcesRegistry.instance().types["file"] = AdaptedFileSource


@cache
def _parser() -> OverridesParser:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def _element(value: Any) -> ParsedElementType:
    from hydra.core.override_parser.types import Quote, QuotedString

    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _element(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_element(item) for item in value]
    return QuotedString(str(value), Quote.single)
