"""Workers that somebody else has started: what they have installed, and what their clocks say.

The time of a trial and the end of a search are told by the driver's clock. A worker whose clock is
wrong is corrected; one with other versions is refused, because its scores would not compare.
"""

from __future__ import annotations

import importlib
import platform
import socket
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from optibench.backends.common.code_shipping import top_level
from optibench.errors import EngineError
from optibench.records import Batch, BatchOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from optibench.contracts import WorkerTask

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")

ALWAYS = ("numpy", "scipy", "sklearn")


@dataclass(frozen=True)
class WorkerInfo:
    """What one worker says of itself.

    Attributes:
        versions: by module; None where it cannot be imported.
        clock: seconds since the epoch.
    """

    host: str
    python: str
    versions: Mapping[str, str | None]
    clock: float


def compared(modules: Sequence[str]) -> list[str]:
    """The packages whose versions decide about scores: NumPy and the like, and the model's own.

    A module of ours that trains by another package names it in PACKAGES.
    """
    trainers = [importlib.import_module(name) for name in modules if name.startswith("optibench.")]
    more = [package for trainer in trainers for package in getattr(trainer, "PACKAGES", ())]
    return list(dict.fromkeys([*ALWAYS, *top_level(modules), *more]))


def describe(names: Sequence[str]) -> WorkerInfo:
    """In a worker, and in the driver to compare with; imports what it is asked for."""
    versions = {name: _version(name) for name in names}
    return WorkerInfo(socket.gethostname(), platform.python_version(), versions, time.time())


def _version(name: str) -> str | None:
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return str(getattr(module, "__version__", ""))


def check_versions(peers: Iterable[WorkerInfo], names: Sequence[str]) -> None:
    """Refuse workers that have something else than the driver.

    Raises:
        EngineError: by name, with both versions.
    """
    here = describe(names)
    for peer in peers:
        for name in names:
            theirs, ours = peer.versions[name], here.versions[name]
            if theirs != ours:
                has = f"has {name} {theirs}" if theirs else f"has no {name}"
                msg = (
                    f"A worker on {peer.host} {has}, this program {ours}: its scores would not "
                    "compare. Install the same version there "
                    f"(pip install '{_distribution(name)}=={ours}')."
                )
                raise EngineError(msg)


def _distribution(name: str) -> str:
    from importlib.metadata import packages_distributions

    return next(iter(packages_distributions().get(name, ())), name)


def clock_offsets(peers: Iterable[WorkerInfo], before: float, after: float) -> dict[str, float]:
    """By host, the seconds that a clock is ahead of the driver's; only of those that are wrong.

    A clock that shows a moment between the question (`before`) and the answer (`after`) may be
    right.
    """
    return {
        peer.host: peer.clock - (before + after) / 2
        for peer in peers
        if not before <= peer.clock <= after
    }


def notes_on(offsets: Mapping[str, float]) -> tuple[str, ...]:
    """Sentences for the run's record."""
    return tuple(
        f"the clock of {host} is {abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} "
        "the driver's; times of its trials are corrected"
        for host, seconds in sorted(offsets.items())
    )


@dataclass(frozen=True)
class RemoteTerms:
    """On what terms workers elsewhere run batches.

    Attributes:
        offsets: as `clock_offsets` gives them.
        before: called first.
    """

    offsets: Mapping[str, float]
    before: Callable[[], object] | None = None


def run_remote_batch(task: WorkerTask[V, B, R], value: V, batch: B, terms: RemoteTerms) -> R:
    """In a worker: run a batch whose limit, and whose times, are told by the driver's clock.

    Work of other kinds tells no times.
    """
    if terms.before is not None:
        terms.before()
    ahead = terms.offsets.get(socket.gethostname(), 0.0)
    if not ahead or not isinstance(batch, Batch):
        return task(value, batch)
    outcome = task(value, replace(batch, begin_before=batch.begin_before + ahead))
    return outcome.moved(-ahead) if isinstance(outcome, BatchOutcome) else outcome
