"""A value that Spark has broadcast to its executors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from pyspark import Broadcast

V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class BroadcastValue(Generic[V]):
    """Implements `contracts.SharedValue`, in the driver and in tasks."""

    broadcast: Broadcast[V]

    def view(self) -> V:
        """Return the driver's own object; in a task, the copy of its Python worker."""
        return self.broadcast.value
