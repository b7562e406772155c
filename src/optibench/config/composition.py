"""From overrides to a composed configuration, with Hydra.

Two habits of Hydra are in the way of `model.params` and `model.space`, whose keys are open:
`a.b=` fails where the YAML lacks b and `+a.b=` where it has it; and a distribution (a dict) is
merged into, or refused over, a list. Here such overrides are all written as `++`, and a
distribution is carried as a list of one, because lists replace.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.plugins.config_source import ConfigResult

OPEN_KEY = re.compile(
    r"^\+{0,2}((model\.params|model\.space|backend\.conf)\.[^=]+)=(.*)$", re.DOTALL
)


def conf_dir() -> Path:
    """The folder of the YAML files: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def normalise(overrides: Sequence[str]) -> list[str]:
    """Make overrides of `model.params.*` and `model.space.*` add or replace, never merge."""
    return [_normalise_one(text) for text in overrides]


def _normalise_one(text: str) -> str:
    match = OPEN_KEY.match(text)
    if match is None:
        return text
    key, part, value = match.groups()
    if part == "model.space":
        choices = (choice.strip() for choice in split_top_level(value))
        value = ",".join(f"[{choice}]" if choice.startswith("{") else choice for choice in choices)
    return f"++{key}={value}"


def split_top_level(text: str) -> list[str]:
    """Split at the commas outside brackets and quotes: the choices of a sweep."""
    parts, depth, quote, begin = [], 0, "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in "]})":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:position])
            begin = position + 1
    return [*parts, text[begin:]]


def replace_file_source() -> None:
    """Make Hydra read `model.space` entries of YAML files as lists: they replace one another."""
    from hydra._internal.core_plugins.file_config_source import FileConfigSource
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins
    from omegaconf import OmegaConf

    class SpaceAwareFileSource(FileConfigSource):
        """Hydra's own file source, and `space` entries wrapped."""

        def load_config(self, config_path: str) -> ConfigResult:
            result = super().load_config(config_path)
            in_model = config_path.startswith("model/")
            space = OmegaConf.select(result.config, "space" if in_model else "model.space")
            for key in list(space or ()):
                if OmegaConf.is_dict(space[key]):
                    space[key] = [space[key]]
            return result

    Plugins.instance()  # registers the original first, which then must not come back
    SourcesRegistry.instance().types["file"] = SpaceAwareFileSource


def compose(overrides: Sequence[str]) -> Any:
    """Compose conf/config.yaml with `overrides` outside the command line; returns a DictConfig.

    Raises:
        ConfigError: Hydra refuses an override: a typo, an unknown choice, a value that it cannot
            read.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    replace_file_source()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            return hydra_compose("config", normalise(overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        msg = f"The configuration cannot be composed: {error}{cause}"
        raise ConfigError(msg) from error
