"""Profile data-parallel fits with cProfile: every call that a worker receives.

Each process has one profiler, and its cost is limited as for trials, except that the first call of
each kind in a run is always profiled. The engine collects the profiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from optibench.measure.profiles.trial_profiles import TrialProfiler

if TYPE_CHECKING:
    from collections.abc import Callable

_PROFILER = TrialProfiler()
_CALLED: set[tuple[str, str]] = set()  # run and name of a function


@dataclass(frozen=True)
class CallProfiler:
    """Implements `contracts.WorkerProfiler`.

    It can be sent to workers, because its only state is the identity of its run.
    """

    run: str = field(default_factory=lambda: uuid4().hex)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a worker and profile it, unless profiling pauses there."""
        kind = self.run, getattr(function, "__qualname__", type(function).__name__)
        if kind not in _CALLED:
            _CALLED.add(kind)
            _PROFILER.end_pause()
        with _PROFILER:
            return function(*arguments)

    def hand_over(self) -> bytes:
        """Return what was collected in this worker as a part for `merged_profile.merge`."""
        return _PROFILER.dump() or b""
