"""From overrides to a composed configuration, with Hydra.

The keys of `model.params`, `model.space` and `backend.conf` are open, and two of Hydra's rules do
not suit them: `a.b=` fails when the YAML lacks b and `+a.b=` when it has it; and a distribution (a
mapping) is merged with another one, or refused over a list. Here every override of an open key
becomes `++`, and a distribution travels as a list of one, because lists replace each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from optibench.config.hydra_adapter import install_file_source, parse_override
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omegaconf import Container

SPACE = "model.space."
OPEN_KEYS = ("model.params.", SPACE, "backend.conf.")


def conf_dir() -> Path:
    """Return the folder of the YAML files: in the installed package or at a checkout's root."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def normalise(words: Sequence[str]) -> list[str]:
    """Make overrides of open keys add or replace, never merge; leave other words as they are."""
    return [_normalise_one(word) for word in words]


def _normalise_one(word: str) -> str:
    from hydra.errors import OverrideParseException

    if not word.lstrip("+").startswith(OPEN_KEYS):
        return word
    try:
        override = parse_override(word)
    except OverrideParseException:
        return word  # Hydra refuses it by name when it composes
    if override is None or not override.is_plain:
        return word
    is_space = override.key.startswith(SPACE)
    value = override.with_listed_mappings() if is_space else override.text
    return f"++{override.key}={value}"


def prepare_file_source() -> None:
    """Make Hydra read `model.space` entries of YAML files as lists: they replace one another."""
    install_file_source(_list_distributions)


def _list_distributions(path: str, content: Container) -> None:
    from omegaconf import OmegaConf

    space = OmegaConf.select(content, "space" if path.startswith("model/") else "model.space")
    for key in list(space or ()):
        if OmegaConf.is_dict(space[key]):
            space[key] = [space[key]]


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

    prepare_file_source()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            return hydra_compose("config", normalise(overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        msg = f"The configuration cannot be composed: {error}{cause}"
        raise ConfigError(msg) from error
