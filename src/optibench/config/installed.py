"""The plug-ins of installed packages, as their entry points declare them; nothing is imported."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUPS = {
    "model": "optibench.models",
    "backend": "optibench.backends",
    "search": "optibench.searches",
    "dataset": "optibench.datasets",
}


@dataclass(frozen=True)
class InstalledPlugin:
    """A plug-in of an installed package.

    Attributes:
        name: the choice, as in `model=name`.
        value: its class as `module:Class`.
        package: the distribution that declares it.
        version: the version of that distribution.
    """

    name: str
    value: str
    package: str
    version: str

    @property
    def module(self) -> str:
        """The module that has the class."""
        return self.value.partition(":")[0]


def installed_plugins(group: str, name: str) -> tuple[InstalledPlugin, ...]:
    """Return the plug-ins that installed packages declare under one name: one, unless they clash.

    Args:
        group: of the configuration, such as `model`.
        name: the choice.
    """
    return _declared()[group].get(name, ())


def installed_names(group: str) -> list[str]:
    """Return the names of all plug-ins that installed packages declare for a group, sorted."""
    return sorted(_declared()[group])


@functools.cache
def _declared() -> Mapping[str, Mapping[str, tuple[InstalledPlugin, ...]]]:
    """Read the entry points of every installed package, once for the life of the process."""
    from importlib.metadata import entry_points

    everything = entry_points()
    found: dict[str, dict[str, tuple[InstalledPlugin, ...]]] = {}
    for group, entry_group in ENTRY_POINT_GROUPS.items():
        plugins = found[group] = {}
        declared = [_plugin_of(entry) for entry in everything.select(group=entry_group)]
        for plugin in sorted(declared, key=lambda plugin: plugin.package):
            plugins[plugin.name] = (*plugins.get(plugin.name, ()), plugin)
    return found


def _plugin_of(entry: EntryPoint) -> InstalledPlugin:
    package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
    return InstalledPlugin(entry.name, entry.value, package, version)
