"""Transfer the profiles of Spark's Python workers to the driver.

An accumulator is used, because no job reaches all workers (Spark has idle ones that it may or may
not use again), and because a profile is kept even if its worker is lost later.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark import AccumulatorParam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark import SparkContext

    from optibench.contracts import WorkerProfiler


class ConcatenatedLists(AccumulatorParam[list[bytes]]):
    """An accumulator of lists."""

    def zero(self, value: list[bytes]) -> list[bytes]:
        """Return an empty list."""
        del value
        return []

    def addInPlace(self, value1: list[bytes], value2: list[bytes]) -> list[bytes]:
        """Append the second list to the first."""
        value1 += value2
        return value1


class TaskProfiles:
    """Profiles calls in tasks, if there is a profiler."""

    def __init__(self, context: SparkContext, profiler: WorkerProfiler | None) -> None:
        """Start without profiles."""
        self._profiler = profiler
        self._parts = None if profiler is None else context.accumulator([], ConcatenatedLists())

    @property
    def collected(self) -> list[bytes]:
        """The profiles of tasks that have ended since the last access."""
        if self._parts is None:
            return []
        profiles, self._parts.value = self._parts.value, []
        return list(profiles)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, profiled in whatever task calls it."""
        return function if self._profiler is None else partial(self._profiler.call, function)

    def returning_profile(
        self, task: Callable[[Any], Iterator[Any]]
    ) -> Callable[[Any], Iterator[Any]]:
        """Return `task`, which at its end also sends the profile of its process."""
        parts, profiler = self._parts, self._profiler
        if parts is None or profiler is None:
            return task

        def profiled(rows: Any) -> Iterator[Any]:
            yield from task(rows)
            parts.add([profiler.hand_over()])

        return profiled
