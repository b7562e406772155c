"""Profile trials with cProfile in the worker that runs them.

cProfile costs more than half a microsecond per call: nothing in a fit of seconds, but two thirds
of the time of a K-means on 600 rows. A worker therefore profiles only as many trials as keep that
cost below 5 % of its time, starting with its first one: every trial on a large table, about every
tenth on a tiny one.
"""

from __future__ import annotations

import cProfile
import marshal
import math
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from optibench.measure.profiles.merged_profile import (
    LEFT_OUT,
    PROFILED,
    SKIPPED,
    Function,
    statistics,
)

if TYPE_CHECKING:
    from types import TracebackType

COST_SHARE = 0.05
_CALL_COST_SECONDS = 0.7e-6  # CPython 3.11: 0.45 inside scikit-learn's K-means, 0.9 inside XGBoost


class _Pause:
    """The pause that keeps the cost of profiling within its share of this process's time."""

    end_seconds = 0.0  # by time.perf_counter(); nothing is profiled before


class TrialProfiler:
    """Profiles trials in a worker: one `with` block per trial; `dump` returns the sum.

    It belongs to one thread. If another profiler is active in the process (since Python 3.12 all
    threads share one), the block runs without a profile and is counted as skipped.
    """

    def __init__(self, *, enabled: bool = True, cost_share: float = COST_SHARE) -> None:
        """Prepare to profile.

        Args:
            enabled: if False, blocks run without a profile and `dump` returns None.
            cost_share: upper limit of the cost of profiling, as a share of this process's time;
                `math.inf` profiles every block.
        """
        self._profile = cProfile.Profile() if enabled else None
        self._cost_share = cost_share
        self._is_active = False
        self._begin_seconds = 0.0
        self._calls = 0
        self._counts: Counter[Function] = Counter()

    def __enter__(self) -> Self:
        """Start to profile, unless profiling has to pause because of its cost."""
        if self._profile is not None:
            self._begin_seconds = time.perf_counter()
            if self._cost_share < math.inf and self._begin_seconds < _Pause.end_seconds:
                self._counts[LEFT_OUT] += 1
            else:
                self._is_active = _enable(self._profile)
                self._counts[PROFILED if self._is_active else SKIPPED] += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop profiling; exceptions are passed on."""
        if self._profile is not None and self._is_active:
            self._profile.disable()
            self._is_active = False
            self._set_pause(self._profile)

    def end_pause(self) -> None:
        """Profile the next block in any case."""
        _Pause.end_seconds = 0.0

    def dump(self) -> bytes | None:
        """Return what was collected since the last dump, and clear it.

        Returns:
            A part for `merged_profile.merge`, or None if profiling is off.
        """
        if self._profile is None:
            return None
        profile = statistics(self._profile)
        self._profile.clear()
        self._calls = 0
        profile |= {name: (count, count, 0.0, 0.0, {}) for name, count in self._counts.items()}
        self._counts.clear()
        return marshal.dumps(profile)

    def _set_pause(self, profile: cProfile.Profile) -> None:
        block_end_seconds = time.perf_counter()
        calls = sum(entry.callcount for entry in profile.getstats())
        now = time.perf_counter()
        profiling_seconds = (calls - self._calls) * _CALL_COST_SECONDS
        self._calls = calls
        bare_seconds = block_end_seconds - self._begin_seconds - profiling_seconds
        cost_seconds = profiling_seconds + now - block_end_seconds
        _Pause.end_seconds = now + cost_seconds / self._cost_share - bare_seconds


def _enable(profile: cProfile.Profile) -> bool:
    # Up to Python 3.11 a second profiler silently replaces the first, and none is active when it
    # ends; from 3.12 on Python refuses it.
    if sys.getprofile() is not None:
        return False
    try:
        profile.enable()
    except ValueError:  # 'Another profiling tool is already active'
        return False
    return True
