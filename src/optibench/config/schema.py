"""The resolved configuration, and the schemas of the groups without a package of their own.

The YAML of a group is merged into the dataclass of its plug-in, so that a wrong type or an unknown
key is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.config.installed import installed_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.config.installed import InstalledPlugin
    from optibench.contracts import Backend, DatasetSource, Evaluation, Model, Search


@dataclass(frozen=True)
class TopLevel:
    """The keys outside all groups."""

    seed: int = 0
    cores: int | None = None
    repeats: int = 1
    plan: bool = False
    progress: bool = True


@dataclass(frozen=True)
class TrackingSettings:
    """The store to which runs are written (conf/tracking)."""

    name: str = "local"
    uri: str | None = None
    experiment: str = "optibench"
    children: bool = True


@dataclass(frozen=True)
class ProfilingSettings:
    """Whether cProfile runs (conf/profiling)."""

    name: str = "cprofile"

    @property
    def enabled(self) -> bool:
        """Whether fit and score run under cProfile."""
        return self.name != "off"


@dataclass(frozen=True)
class Config:
    """One benchmark, fully resolved, with plug-ins in place of names.

    Attributes:
        resolved: every key as plain nested values. It includes credentials: redact it before
            writing it.
    """

    top: TopLevel
    model: Model
    backend: Backend
    search: Search
    dataset: DatasetSource
    evaluation: Evaluation
    profiling: ProfilingSettings
    tracking: TrackingSettings
    resolved: Mapping[str, Any]

    @property
    def run_name(self) -> str:
        """`<model>-<backend>-<search>-<dataset>`."""
        parts = (self.model, self.backend, self.search, self.dataset)
        return "-".join(part.name for part in parts)

    @property
    def installed(self) -> Mapping[str, InstalledPlugin]:
        """The chosen plug-ins of other packages, by group."""
        chosen = {
            "model": self.model.name,
            "backend": self.backend.name,
            "search": self.search.name,
            "dataset": self.dataset.name,
        }
        found = {group: installed_plugins(group, name) for group, name in chosen.items()}
        return {group: plugins[0] for group, plugins in found.items() if plugins}

    @property
    def plugin_modules(self) -> tuple[str, ...]:
        """The modules of plug-ins of other packages that workers import.

        A table is read by workers where they may train on it together.
        """
        by_trials = self.backend.parallelism == "trials"
        groups = ("model",) if by_trials else ("model", "dataset")
        return tuple(p.module for group, p in self.installed.items() if group in groups)

    @property
    def space(self) -> dict[str, Any]:
        """The search space: `model.space` without the keys of `model.params`."""
        return {k: v for k, v in self.model.space.items() if k not in self.model.params}
