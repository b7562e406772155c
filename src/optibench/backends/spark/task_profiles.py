"""Brings what Spark's Python workers have profiled to the driver.

By an accumulator: no job reaches all of them, since Spark has idle ones that it may or may not use
again; and what a task has told stays told where its worker is lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark import AccumulatorParam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optibench.contracts import WorkerProfiler


class Parts(AccumulatorParam[list[bytes]]):
    """Lists that are put together."""

    def zero(self, value: list[bytes]) -> list[bytes]:
        """Nothing."""
        del value
        return []

    def addInPlace(self, value1: list[bytes], value2: list[bytes]) -> list[bytes]:
        """The second behind the first."""
        value1 += value2
        return value1


class TaskProfiles:
    """Profiles calls in tasks, where there is a profiler."""

    def __init__(self, context: Any, profiler: WorkerProfiler | None) -> None:
        """Begin empty."""
        self._profiler = profiler
        self._parts = None if profiler is None else context.accumulator([], Parts())

    @property
    def collected(self) -> list[bytes]:
        """Of the tasks that have ended since it was last asked for."""
        if self._parts is None:
            return []
        found, self._parts.value = self._parts.value, []
        return list(found)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, profiled in whatever task calls it."""
        return function if self._profiler is None else partial(self._profiler.call, function)

    def told_by(self, task: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
        """`task`, which in the end tells what was profiled in its process."""
        parts, profiler = self._parts, self._profiler
        if parts is None or profiler is None:
            return task

        def telling(given: Any) -> Iterator[Any]:
            yield from task(given)
            parts.add([profiler.hand_over()])

        return telling
