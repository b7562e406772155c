"""cProfile in the workers of fits that use all of them, around each call that they get.

Each process has one profiler, whose cost is held down as that of trials is, except that a run's
first call of each kind is always profiled; what it has collected is handed over when the engine
asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from optibench.measure.profiles.trial_profiles import TrialProfiler

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = TrialProfiler()
_BEGUN: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class CallProfiler:
    """Implements `contracts.CallProfiler`; of its run it holds a name alone."""

    run: str = field(default_factory=lambda: uuid4().hex)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """In a worker."""
        kind = self.run, getattr(function, "__qualname__", type(function).__name__)
        if kind not in _BEGUN:
            _BEGUN.add(kind)
            _HERE.forgive()
        with _HERE:
            return function(*arguments)

    def hand_over(self) -> bytes:
        """In a worker: a part for `profiles.merge`."""
        return _HERE.dump() or b""
