"""The plug-ins of installed packages, as their entry points declare them; nothing is imported."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
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
METADATA_FOLDERS = (".dist-info", ".egg-info", "EGG-INFO")


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
    if not _any_package_may_have_plugins():
        return {group: {} for group in ENTRY_POINT_GROUPS}
    from importlib.metadata import entry_points

    everything = entry_points()
    found: dict[str, dict[str, tuple[InstalledPlugin, ...]]] = {}
    for group, entry_group in ENTRY_POINT_GROUPS.items():
        plugins = found[group] = {}
        declared = [_plugin_of(entry) for entry in everything.select(group=entry_group)]
        for plugin in sorted(declared, key=lambda plugin: plugin.package):
            plugins[plugin.name] = (*plugins.get(plugin.name, ()), plugin)
    return found


def _any_package_may_have_plugins() -> bool:
    """Return False where no installed package declares a plug-in.

    This reads the files of entry points only. importlib.metadata takes several times as long,
    most of it for its own import, and every start of the program would pay for it.
    """
    return any(_may_declare_plugins(Path(entry or ".")) for entry in sys.path)


def _may_declare_plugins(folder: Path) -> bool:
    if folder.is_file():
        return True  # an archive, into which only importlib.metadata can look
    try:
        packages = [path for path in folder.iterdir() if path.name.endswith(METADATA_FOLDERS)]
    except OSError:
        return False  # there is no such folder
    return any(_names_a_group(package / "entry_points.txt") for package in packages)


def _names_a_group(entry_points: Path) -> bool:
    try:
        text = entry_points.read_text("utf-8", "replace")
    except OSError:
        return False  # the package has no entry points
    return any(group in text for group in ENTRY_POINT_GROUPS.values())


def _plugin_of(entry: EntryPoint) -> InstalledPlugin:
    package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
    return InstalledPlugin(entry.name, entry.value, package, version)
