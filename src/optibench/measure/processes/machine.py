"""Cores and memory that this process may use, and facts about the machine. Quick to import."""

from __future__ import annotations

import math
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = Path("/")


def available_cores(root: Path = _ROOT) -> int:
    """Count the cores that this process may use (affinity, cgroup quota); at least 1."""
    return max(1, math.floor(core_capacity(root)))


def core_capacity(root: Path = _ROOT) -> float:
    """Return the core-seconds per second that this process may use.

    A cgroup quota can make it fractional.

    Args:
        root: the folder with proc/ and the cgroup mounts; tests use another folder than /.
    """
    return min([float(_affinity_cores()), *_quotas(root)])


def available_memory_bytes(root: Path = _ROOT) -> int:
    """Return the bytes that this process may use: the physical memory, or a lower cgroup limit."""
    return min([_physical_bytes(), *_memory_limits(root)])


def machine_facts() -> dict[str, str]:
    """Return the facts of the machine: CPU model, usable cores and memory, platform, Python."""
    return {
        "cpu_model": _cpu_model(),
        "cores": str(available_cores()),
        "memory_bytes": str(available_memory_bytes()),
        "platform": platform.platform(),
        "python_version": platform.python_version(),
    }


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages without importing them; others are left out."""
    versions: dict[str, str] = {}
    for name in names:
        for distribution in metadata.distributions(name=name):
            versions[name] = distribution.version
            break
    return versions


class _Mount(NamedTuple):
    kind: str  # cgroup (version 1) or cgroup2
    controllers: frozenset[str]
    top: Path  # the cgroup that is mounted
    folder: Path  # where it is mounted


def _affinity_cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _physical_bytes() -> int:
    if sys.platform != "win32":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    import psutil

    return int(psutil.virtual_memory().total)


def _quotas(root: Path) -> Iterator[float]:
    for folder in _cgroup_folders(root, "cpu"):
        words = _words(folder / "cpu.max")
        if not words:
            words = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(words) == 2 and words[0] not in ("max", "-1"):  # noqa: PLR2004 - quota and period
            yield int(words[0]) / int(words[1])


def _memory_limits(root: Path) -> Iterator[int]:
    for folder in _cgroup_folders(root, "memory"):
        for word in _words(folder / "memory.max") + _words(folder / "memory.limit_in_bytes"):
            if word != "max":
                yield int(word)  # cgroup v1 states "no limit" as a number above any memory size


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's cgroup and all its ancestors: each of them limits the process."""
    paths = _own_cgroups(root)
    for mount in _mounts(root):
        if mount.kind == "cgroup2":
            own = paths.get("")
        elif controller in mount.controllers:
            own = paths.get(controller)
        else:
            continue
        if own is None:
            continue
        # In a container the mount shows only a part of the tree, possibly under another name than
        # /proc states.
        inside = own.relative_to(mount.top) if own.is_relative_to(mount.top) else Path()
        folder = mount.folder / inside
        while True:
            yield folder
            if folder == mount.folder:
                break
            folder = folder.parent


def _own_cgroups(root: Path) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), Path(path)))
    return paths


def _mounts(root: Path) -> Iterator[_Mount]:
    for line in _text(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind in ("cgroup", "cgroup2"):
            top, folder = left.split()[3:5]
            controllers = frozenset(options.split(","))
            yield _Mount(kind, controllers, Path(top), root / folder.lstrip("/"))


def _cpu_model() -> str:
    for line in _text(_ROOT / "proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    """Read a file of the kernel; a missing file gives an empty text and sets no limit."""
    try:
        return path.read_text()
    except OSError:
        return ""
