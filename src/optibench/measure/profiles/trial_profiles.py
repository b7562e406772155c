"""cProfile where the work happens: in every worker around fit and score, merged in the driver.

A part is what one worker sends back for one batch: a marshalled dictionary in the layout of
`pstats`. Parts merge by addition. File names are cut at the installation's own folders, so that
parts of machines with different installations merge, and no folder above a package is told.

cProfile costs more than half a microsecond a call: nothing where a fit takes seconds, two thirds
of the time of a K-means on 600 rows. A worker therefore profiles as many trials as keep that cost
below 5 % of its time, beginning with its first: every one of a large table, every tenth or so of a
tiny one.
"""

from __future__ import annotations

import cProfile
import functools
import io
import marshal
import math
import pstats
import re
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

Function = tuple[str, int, str]
Timing = tuple[int, int, float, float]  # primitive calls, calls, own seconds, cumulative seconds
Profile = dict[Function, tuple[int, int, float, float, dict[Function, Timing]]]

COST_SHARE = 0.05
# What functions.txt has, the unit of which it is counted in, and what is not in it.
TRIALS = ("fit and score", "trials", "")
CALLS = (
    "reading, training and answering",
    "calls",
    "Not in it: the engine's own code, Dask's tasks and Spark's JVM (see engine.json).\n",
)
_CALL_COST_SECONDS = 0.7e-6  # CPython 3.11: 0.45 inside scikit-learn's K-means, 0.9 inside XGBoost

# A part carries its counts as functions that nobody can have written; `merge` takes them out.
_PROFILED: Function = ("~", 0, "<trials profiled>")
_LEFT_OUT: Function = ("~", 0, "<trials left out to save time>")
_SKIPPED: Function = ("~", 0, "<trials under another profiler>")

# /x/site-packages/sklearn/base.py -> sklearn/base.py; /x/lib/python3.11/os.py -> python3.11/os.py;
# /x/src/optibench/trials.py (an editable installation) -> optibench/trials.py
_INSTALLATION = re.compile(
    r"^.*[/\\](?:site-packages|dist-packages)[/\\]"
    r"|^.*[/\\]lib(?:64)?[/\\](?=python3\.\d+[/\\])"
    r"|^.*[/\\]src[/\\](?=optibench[/\\])"
)


class _Pause:
    """Until when this process profiles nothing: the cost of the last trial has to be earned."""

    end_seconds = 0.0  # of time.perf_counter()


class TrialProfiler:
    """A worker's cProfile: `with` blocks, one a trial, add to it; `dump` hands over the sum.

    It belongs to one thread. Where another profiler is active in the process (since Python 3.12
    there is one for all threads) the block runs without a profile, and is counted as such.
    """

    def __init__(self, *, enabled: bool = True, cost_share: float = COST_SHARE) -> None:
        """Prepare.

        Args:
            enabled: if False, blocks run bare and `dump` gives None.
            cost_share: what profiling may cost, as a share of this process's time; `math.inf`
                profiles every block.
        """
        self._profile = cProfile.Profile() if enabled else None
        self._cost_share = cost_share
        self._is_active = False
        self._begin_seconds = 0.0
        self._calls = 0
        self._counts: Counter[Function] = Counter()

    def __enter__(self) -> Self:
        """Go on collecting, if it may cost time again."""
        if self._profile is not None:
            self._begin_seconds = time.perf_counter()
            if self._cost_share < math.inf and self._begin_seconds < _Pause.end_seconds:
                self._counts[_LEFT_OUT] += 1
            else:
                self._is_active = _enable(self._profile)
                self._counts[_PROFILED if self._is_active else _SKIPPED] += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Pause; exceptions pass through."""
        if self._profile is not None and self._is_active:
            self._profile.disable()
            self._is_active = False
            self._earn_the_cost(self._profile)

    def forgive(self) -> None:
        """Profile the next block; what the last ones have cost need not be earned."""
        _Pause.end_seconds = 0.0

    def dump(self) -> bytes | None:
        """Hand over what was collected since the last dump, and begin anew.

        Returns:
            a part for `merge`, or None where profiling is off.
        """
        if self._profile is None:
            return None
        profile = _collected(self._profile)
        self._profile.clear()
        self._calls = 0
        profile |= {name: (count, count, 0.0, 0.0, {}) for name, count in self._counts.items()}
        self._counts.clear()
        return marshal.dumps(profile)

    def _earn_the_cost(self, profile: cProfile.Profile) -> None:
        block_end_seconds = time.perf_counter()
        calls = sum(entry.callcount for entry in profile.getstats())
        now = time.perf_counter()
        profiling_seconds = (calls - self._calls) * _CALL_COST_SECONDS
        self._calls = calls
        bare_seconds = block_end_seconds - self._begin_seconds - profiling_seconds
        cost_seconds = profiling_seconds + now - block_end_seconds
        _Pause.end_seconds = now + cost_seconds / self._cost_share - bare_seconds


class MergedProfile(NamedTuple):
    """The sum of parts.

    Attributes:
        stats: in the layout of `pstats`, with shortened file names.
        parts: how many parts went into it.
        profiled: trials that it holds.
        left_out: trials that ran without a profile to save time.
        skipped: trials that ran without a profile because another profiler was active.
    """

    stats: Profile
    parts: int
    profiled: int
    left_out: int
    skipped: int

    def to_pstats(self, stream: io.StringIO | None = None) -> pstats.Stats:
        """Wrap it for sorting and printing."""
        return pstats.Stats(_Collected(self.stats), stream=stream or sys.stdout)


def merge(parts: Iterable[bytes]) -> MergedProfile:
    """Add up the parts that workers sent back."""
    total: Profile = {}
    number = 0
    for part in parts:
        _add(total, marshal.loads(part))  # noqa: S302 - written by our own workers
        number += 1
    counts = []
    for name in (_PROFILED, _LEFT_OUT, _SKIPPED):
        entry = total.pop(name, None)
        counts.append(entry[0] if entry else 0)
    return MergedProfile(total, number, *counts)


def write_profiles(
    directory: Path,
    driver: cProfile.Profile | None,
    trials: Sequence[bytes],
    calls: Sequence[bytes] = (),
) -> list[Path]:
    """Write `driver.prof`, `workers.prof` and `functions.txt`.

    functions.txt prints the workers' profile by cumulative time; where no worker sent one
    (trials with search=none), the driver's, which holds the refit. What is missing is not written.

    Args:
        directory: where they go; it is made where it is missing.
        driver: the driver's profiler, disabled; None where profiling is off.
        trials: what `TrialProfiler.dump` gave, in any order.
        calls: the same, of fits that use all workers.

    Returns:
        the files written.
    """
    profiles: dict[str, MergedProfile] = {}
    if driver is not None:
        merged = merge([marshal.dumps(_collected(driver))])
        if merged.stats:  # empty where the run ended before it did anything
            profiles["driver"] = merged
    if trials or calls:
        profiles["workers"] = merge([*trials, *calls])
    if not profiles:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, profile in profiles.items():
        written.append(directory / f"{name}.prof")
        written[-1].write_bytes(marshal.dumps(profile.stats))
    written.append(directory / "functions.txt")
    words = CALLS if calls else TRIALS
    written[-1].write_text(_functions_text(profiles, words), encoding="utf-8")
    return written


def _functions_text(profiles: dict[str, MergedProfile], words: tuple[str, str, str]) -> str:
    stream = io.StringIO()
    if "workers" in profiles:
        shown = profiles["workers"]
        what, units, lack = words
        count = shown.profiled + shown.left_out + shown.skipped
        stream.write(f"Workers: {what} of {shown.profiled} of {count} {units}, merged.\n{lack}")
        if shown.left_out:
            stream.write(
                f"{shown.left_out} {units} ran without a profile, to keep its cost below "
                f"{COST_SHARE:.0%} of the time.\n"
            )
        if shown.skipped:
            reason = "another profiler was active in the worker"
            stream.write(f"{shown.skipped} {units} ran without a profile: {reason}.\n")
    else:
        shown = profiles["driver"]
        stream.write("Driver (no worker was profiled in this run): refit, scoring and waiting.\n")
    shown.to_pstats(stream).sort_stats(pstats.SortKey.CUMULATIVE).print_stats()
    return stream.getvalue()


def _enable(profile: cProfile.Profile) -> bool:
    # Up to Python 3.11 a second profiler takes the place of the first without a word, and leaves
    # nothing active when it ends; from 3.12 on it is refused.
    if sys.getprofile() is not None:
        return False
    try:
        profile.enable()
    except ValueError:  # 'Another profiling tool is already active'
        return False
    return True


class _Collected(cProfile.Profile):
    """A profile that was collected before: what `pstats.Stats` reads from a profiler."""

    def __init__(self, stats: Profile) -> None:
        super().__init__()
        self.stats = cast("Any", stats)  # typeshed takes the seconds for whole numbers

    def create_stats(self) -> None:
        """Nothing to do: `stats` is there from the start."""


def _collected(profile: cProfile.Profile) -> Profile:
    profile.create_stats()
    return cast("Profile", profile.stats)


def _add(total: Profile, part: Profile) -> None:
    for function, (primitive, calls, own, cumulative, callers) in part.items():
        key = _shortened(function)
        seen = total.get(key)
        if seen is None:
            total[key] = (primitive, calls, own, cumulative, _merged_callers({}, callers))
        else:
            total[key] = (
                seen[0] + primitive,
                seen[1] + calls,
                seen[2] + own,
                seen[3] + cumulative,
                _merged_callers(seen[4], callers),
            )


def _merged_callers(
    total: dict[Function, Timing], callers: dict[Function, Timing]
) -> dict[Function, Timing]:
    for function, (first, second, own, cumulative) in callers.items():
        key = _shortened(function)
        seen = total.get(key, (0, 0, 0.0, 0.0))
        total[key] = (seen[0] + first, seen[1] + second, seen[2] + own, seen[3] + cumulative)
    return total


@functools.lru_cache(maxsize=50_000)
def _shortened(function: Function) -> Function:
    file, line, name = function
    return (_INSTALLATION.sub("", file, count=1), line, name)
