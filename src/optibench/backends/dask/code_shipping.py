"""Brings our code to the scheduler and the workers of a given Dask cluster.

This module itself is sent by value, because nothing of this package can be imported there before.
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

ENGINE = ("dask", "distributed", "cloudpickle")


class CodeForWorkers(WorkerPlugin):
    """Puts an archive first where a worker looks for modules; also of one that joins later."""

    def __init__(self, archive: Archive) -> None:
        """Carry its content."""
        self.name = archive.stem
        self._archive = (archive.filename, archive.stem, archive.names, archive.content)
        self._unpack = unpack

    def setup(self, worker: Any) -> None:
        """In the worker."""
        self._unpack(worker.local_directory, self._archive)


class CodeForScheduler(SchedulerPlugin):
    """The same for the scheduler, which looks into the tasks that it hands on."""

    def __init__(self, archive: Archive) -> None:
        """Carry its content."""
        self.name = archive.stem
        self._archive = (archive.filename, archive.stem, archive.names, archive.content)
        self._unpack = unpack

    async def start(self, scheduler: Any) -> None:
        """In the scheduler."""
        self._unpack(scheduler.local_directory, self._archive)


def unpack(folder: str, archive: tuple[str, str, tuple[str, ...], bytes]) -> None:
    """In a worker or the scheduler."""
    filename, stem, names, content = archive
    path = Path(folder) / filename
    if not path.exists():
        path.write_bytes(content)
    put_first(str(path), stem, names)


def ship_code(client: Any, modules: Sequence[str], carried: set[str]) -> set[str]:
    """Bring the code of `modules` where it was not `carried` before; the names of the archives."""
    found = archives(modules)
    for archive in found:
        if archive.filename not in carried:
            with by_value(*OURS):
                client.register_plugin(CodeForScheduler(archive))
                client.register_plugin(CodeForWorkers(archive))
    return {archive.filename for archive in found}


def check_software(client: Any) -> None:
    """Refuse what cannot even be sent code: another Python, another Dask.

    Raises:
        EngineError: by name, with both versions.
    """
    found = client.get_versions(check=False)
    here = found["client"]["packages"]
    peers = {"scheduler": found["scheduler"], **found["workers"]}
    for who, peer in peers.items():
        theirs = peer["packages"]
        wrong = [name for name in ENGINE if theirs.get(name) != here[name]]
        if _minor(theirs["python"]) != _minor(here["python"]):
            wrong.insert(0, "python")
        if wrong:
            name = wrong[0]
            where = "The Dask scheduler" if who == "scheduler" else f"The Dask worker {who}"
            msg = (
                f"{where} has {name} {theirs.get(name)}, this program {here[name]}: they do not "
                "understand each other. Install the same version there."
            )
            raise EngineError(msg)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


@contextmanager
def by_value(*modules: ModuleType) -> Iterator[None]:
    """What is defined in `modules` is sent with its code inside, not by its name."""
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


OURS = (sys.modules[__name__], sys.modules[put_first.__module__])
