"""Adds the plug-ins of installed packages to the choices of the configuration groups.

Hydra finds both classes because they stand below the namespace package `hydra_plugins`. What
packages declare is read by optibench.config.installed; a plug-in is imported once it is chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath


class InstalledPluginsPath(SearchPathPlugin):
    """Has Hydra look for choices in `InstalledPluginsSource` after `conf/`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the source where any package declares a plug-in."""
        from optibench.config.installed import ENTRY_POINT_GROUPS, installed_names

        if any(installed_names(group) for group in ENTRY_POINT_GROUPS):
            search_path.append("installed", f"{InstalledPluginsSource.scheme()}://installed")


class InstalledPluginsSource(ConfigSource):
    """Gives `group/name` of a declared plug-in as the defaults of its dataclass."""

    @staticmethod
    def scheme() -> str:
        """Return the scheme of this source in Hydra's search path."""
        return "optibench"

    def available(self) -> bool:
        """Return True: the source is appended only where it has something to give."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Return True for a group that installed packages add choices to."""
        return bool(_names(config_path))

    def is_config(self, config_path: str) -> bool:
        """Return True for `group/name` of a plug-in that an installed package declares."""
        group, _, name = config_path.rpartition("/")
        return name in _names(group)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the choices of a group; groups themselves are those of `conf/`."""
        return [] if results_filter is ObjectType.GROUP else _names(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        """Import the plug-in and return its defaults."""
        from optibench.config.plugin_defaults import defaults_of

        group, _, name = config_path.rpartition("/")
        return ConfigResult(
            provider=self.provider,
            path=self.full_path(),
            config=defaults_of(group, name),
            header={"package": None},
        )


def _names(group: str) -> list[str]:
    from optibench.config.installed import ENTRY_POINT_GROUPS, installed_names

    return installed_names(group) if group in ENTRY_POINT_GROUPS else []
