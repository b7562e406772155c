"""Ships code to the scheduler and the workers of a given Dask cluster.

This module itself is sent by value, because the cluster cannot import this package before.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin

from optibench.backends.common.code_shipping import archives, put_first
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from optibench.backends.common.code_shipping import Archive

COMPARED = ("dask", "distributed", "cloudpickle")


class CodeForWorkers(WorkerPlugin):
    """Puts an archive first on a worker's module path; also for workers that join later."""

    def __init__(self, archive: Archive) -> None:
        """Hold the content of `archive`."""
        self.name = archive.stem
        self._archive = (archive.filename, archive.stem, archive.names, archive.content)
        self._unpack = unpack

    def setup(self, worker: Any) -> None:
        """Unpack the archive in the worker."""
        self._unpack(worker.local_directory, self._archive)


class CodeForScheduler(SchedulerPlugin):
    """Puts an archive first on the scheduler's module path; it unpickles parts of tasks."""

    def __init__(self, archive: Archive) -> None:
        """Hold the content of `archive`."""
        self.name = archive.stem
        self._archive = (archive.filename, archive.stem, archive.names, archive.content)
        self._unpack = unpack

    async def start(self, scheduler: Any) -> None:
        """Unpack the archive in the scheduler."""
        self._unpack(scheduler.local_directory, self._archive)


def unpack(folder: str, archive: tuple[str, str, tuple[str, ...], bytes]) -> None:
    """Write an archive into `folder` and import from it, in a worker or the scheduler."""
    filename, stem, names, content = archive
    path = Path(folder) / filename
    if not path.exists():
        path.write_bytes(content)
    put_first(str(path), stem, names)


def ship_code(client: Any, modules: Sequence[str], shipped: set[str]) -> set[str]:
    """Ship the code of `modules` unless it is among the `shipped` archives; return their names."""
    needed = archives(modules)
    for archive in needed:
        if archive.filename not in shipped:
            with by_value(*SHIPPED_BY_VALUE):
                client.register_plugin(CodeForScheduler(archive))
                client.register_plugin(CodeForWorkers(archive))
    return {archive.filename for archive in needed}


def check_software(client: Any) -> None:
    """Refuse a cluster that cannot run shipped code: another Python or another Dask.

    Raises:
        EngineError: names the package and both versions.
    """
    versions = client.get_versions(check=False)
    driver = versions["client"]["packages"]
    processes = {"scheduler": versions["scheduler"], **versions["workers"]}
    for name, process in processes.items():
        packages = process["packages"]
        different = [name for name in COMPARED if packages.get(name) != driver[name]]
        if _minor(packages["python"]) != _minor(driver["python"]):
            different.insert(0, "python")
        if different:
            package = different[0]
            where = "The Dask scheduler" if name == "scheduler" else f"The Dask worker {name}"
            msg = (
                f"{where} has {package} {packages.get(package)}, this program has "
                f"{driver[package]}: they are not compatible. Install the same version there."
            )
            raise EngineError(msg)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


@contextmanager
def by_value(*modules: ModuleType) -> Iterator[None]:
    """Pickle what is defined in `modules` with its code instead of by its name."""
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


SHIPPED_BY_VALUE = (sys.modules[__name__], sys.modules[put_first.__module__])
