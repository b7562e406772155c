"""cProfile in the workers of fits that use all of them, around each call that they get.

Each process has one profiler, whose cost is held down as that of trials is; what it has collected
is handed over when the engine asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.measure.profiles import TrialProfiler

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = TrialProfiler()


class CallProfiler:
    """Implements `contracts.CallProfiler`; it holds nothing, and so can be sent anywhere."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """In a worker."""
        with _HERE:
            return function(*arguments)

    def hand_over(self) -> bytes:
        """In a worker: a part for `profiles.merge`."""
        return _HERE.dump() or b""
