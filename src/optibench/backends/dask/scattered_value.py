"""A value in the memory of the workers of a given Dask cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class ScatteredValue(Generic[V]):
    """Implements `contracts.SharedValue` in the driver; workers are given `future` instead.

    Attributes:
        future: Dask's future of the value.
        value: the driver's own object.
    """

    future: Any
    value: V

    def view(self) -> V:
        """Return the driver's own object."""
        return self.value
