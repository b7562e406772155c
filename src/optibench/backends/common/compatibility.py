"""Remote workers: which versions they have installed, and how far their clocks are off.

The times of trials and the end of a search refer to the driver's clock. A worker whose clock is
wrong is corrected; one with other versions is refused, because its scores would not be comparable.
"""

from __future__ import annotations

import importlib
import platform
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from optibench.backends.common.code_shipping import SITE_FOLDERS, top_level
from optibench.errors import EngineError
from optibench.records import Batch, BatchOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from optibench.contracts import WorkerTask

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")

ALWAYS_COMPARED = ("numpy", "scipy", "sklearn")


@dataclass(frozen=True)
class WorkerInfo:
    """Facts about one worker.

    Attributes:
        versions: by module; None if it cannot be imported.
        clock: seconds since the epoch.
    """

    host: str
    python: str
    versions: Mapping[str, str | None]
    clock: float


def compared_packages(modules: Sequence[str]) -> list[str]:
    """Return the packages whose versions can change scores: NumPy, the model's own and the like.

    A trainer module names further packages in its constant PACKAGES.
    """
    own_modules = [
        importlib.import_module(name) for name in modules if name.startswith("optibench.")
    ]
    more = [package for module in own_modules for package in getattr(module, "PACKAGES", ())]
    return list(dict.fromkeys([*ALWAYS_COMPARED, *top_level(modules), *more]))


def describe(names: Sequence[str]) -> WorkerInfo:
    """Return facts about this process, a worker or the driver, with the versions of `names`."""
    versions = {name: _version(name) for name in names}
    return WorkerInfo(socket.gethostname(), platform.python_version(), versions, time.time())


def _version(name: str) -> str | None:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return str(getattr(module, "__version__", "")) or _installed_version(module)


def _installed_version(module: ModuleType) -> str:
    """Return the version of the package that a module was installed with; else an empty text.

    A module that is not installed travels: it is the same everywhere.
    """
    from importlib.metadata import packages_distributions, version

    if not SITE_FOLDERS.intersection(Path(module.__file__ or "").parts):
        return ""
    packages = packages_distributions().get(module.__name__, ())
    return version(packages[0]) if packages else ""


def check_versions(workers: Iterable[WorkerInfo], names: Sequence[str]) -> None:
    """Refuse workers that have other versions than the driver.

    Raises:
        EngineError: names the package and both versions.
    """
    driver = describe(names)
    for worker in workers:
        for name in names:
            found, needed = worker.versions[name], driver.versions[name]
            if found != needed:
                has = f"has {name} {found}" if found else f"has no {name}"
                msg = (
                    f"A worker on {worker.host} {has}, this program has {needed}: the scores "
                    "would not be comparable. Install the same version there "
                    f"(pip install '{_distribution(name)}=={needed}')."
                )
                raise EngineError(msg)


def _distribution(name: str) -> str:
    from importlib.metadata import packages_distributions

    return next(iter(packages_distributions().get(name, ())), name)


def clock_offsets(workers: Iterable[WorkerInfo], before: float, after: float) -> dict[str, float]:
    """Return by host the seconds that a clock is ahead of the driver's; leave correct clocks out.

    A clock counts as correct if it shows a time between the request (`before`) and the answer
    (`after`).
    """
    return {
        worker.host: worker.clock - (before + after) / 2
        for worker in workers
        if not before <= worker.clock <= after
    }


def clock_notes(offsets: Mapping[str, float]) -> tuple[str, ...]:
    """Return a note for each corrected clock."""
    return tuple(
        f"the clock of {host} is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} "
        "the driver's; the times of its trials are corrected"
        for host, seconds in sorted(offsets.items())
    )


@dataclass(frozen=True)
class RemoteBatchSettings:
    """Settings for the batches of remote workers.

    Attributes:
        offsets: the result of `clock_offsets`.
        before: called before a batch.
    """

    offsets: Mapping[str, float]
    before: Callable[[], object] | None = None


def run_remote_batch(
    task: WorkerTask[V, B, R], value: V, batch: B, settings: RemoteBatchSettings
) -> R:
    """Run a batch in a worker, translating its time limit and its times to the driver's clock.

    Batches of other types have no times.
    """
    if settings.before is not None:
        settings.before()
    offset = settings.offsets.get(socket.gethostname(), 0.0)
    if not offset or not isinstance(batch, Batch):
        return task(value, batch)
    outcome = task(value, replace(batch, begin_before=batch.begin_before + offset))
    return outcome.moved(-offset) if isinstance(outcome, BatchOutcome) else outcome
