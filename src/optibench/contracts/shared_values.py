"""A value that every worker of an engine can read, and the tasks that read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
B = TypeVar("B")
R = TypeVar("R")

WorkerTask = Callable[[V, B], R]  # takes the shared value and one batch of work


class SharedValue(Protocol[V_co]):
    """A handle of a value that an engine has sent to its workers; it can be sent to them."""

    def view(self) -> V_co:
        """Return the value; where it lies in a file, its arrays are mapped and not copied."""
