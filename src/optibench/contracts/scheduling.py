"""What runs the units of a search, whichever way the engine is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optibench.records import Unit, UnitOutcome


class Scheduler(Protocol):
    """Runs units on an engine and returns their outcomes as they arrive.

    Attributes:
        begin_before: no unit starts after this time, in seconds since the epoch.
    """

    begin_before: float

    @property
    def profiles(self) -> Sequence[bytes]:
        """The profiles that workers returned with their trials."""

    @property
    def slots(self) -> int:
        """The number of batches that run at the same time."""

    @property
    def busy(self) -> bool:
        """True while a unit is queued or runs."""

    def add(self, units: Iterable[Unit]) -> None:
        """Queue more units."""

    def wait(self, timeout_seconds: float | None = None) -> Sequence[UnitOutcome]:
        """Return the next outcomes; none if nothing is under way or the time is over."""

    def stop(self) -> None:
        """Drop the queue; units that have started still count, and `wait` returns them."""

    def cancel(self) -> None:
        """Cancel what no worker has started."""
