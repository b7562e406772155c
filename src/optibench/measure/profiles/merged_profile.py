"""Merge cProfile statistics of several processes into one profile.

A part is what one worker sends back for one batch: a marshalled dictionary in the layout of
`pstats`. Parts merge by addition. File names are shortened by the folder of the installation, so
that parts from machines with different installations merge, and no path above a package is stored.
"""

from __future__ import annotations

import cProfile
import functools
import marshal
import pstats
import re
import sys
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable

Function = tuple[str, int, str]
Timing = tuple[int, int, float, float]  # primitive calls, calls, own seconds, cumulative seconds
Profile = dict[Function, tuple[int, int, float, float, dict[Function, Timing]]]

# A part stores its counts under functions that cannot exist; `merge` removes them.
PROFILED: Function = ("~", 0, "<trials profiled>")
LEFT_OUT: Function = ("~", 0, "<trials left out to save time>")
SKIPPED: Function = ("~", 0, "<trials under another profiler>")

# /x/site-packages/sklearn/base.py -> sklearn/base.py; /x/lib/python3.11/os.py -> python3.11/os.py;
# /x/src/optibench/trials.py (an editable installation) -> optibench/trials.py
_INSTALLATION = re.compile(
    r"^.*[/\\](?:site-packages|dist-packages)[/\\]"
    r"|^.*[/\\]lib(?:64)?[/\\](?=python3\.\d+[/\\])"
    r"|^.*[/\\]src[/\\](?=optibench[/\\])"
)


class MergedProfile(NamedTuple):
    """The sum of several parts.

    Attributes:
        stats: statistics in the layout of `pstats`, with shortened file names.
        parts: number of parts.
        profiled: number of trials that were profiled.
        left_out: number of trials that ran without a profile to save time.
        skipped: number of trials that ran without a profile because another profiler
            was active.
    """

    stats: Profile
    parts: int
    profiled: int
    left_out: int
    skipped: int

    def to_pstats(self, stream: io.StringIO | None = None) -> pstats.Stats:
        """Return it as `pstats.Stats`, for sorting and printing."""
        return pstats.Stats(_FinishedProfile(self.stats), stream=stream or sys.stdout)


def merge(parts: Iterable[bytes]) -> MergedProfile:
    """Add up the parts that workers returned."""
    total: Profile = {}
    number = 0
    for part in parts:
        _add(total, marshal.loads(part))  # noqa: S302 - written by OptiBench's workers
        number += 1
    counts = []
    for name in (PROFILED, LEFT_OUT, SKIPPED):
        entry = total.pop(name, None)
        counts.append(entry[0] if entry else 0)
    return MergedProfile(total, number, *counts)


def statistics(profile: cProfile.Profile) -> Profile:
    """Return the statistics that a profiler has collected; it must be disabled."""
    profile.create_stats()
    return cast("Profile", profile.stats)  # typeshed declares the seconds as int


class _FinishedProfile(cProfile.Profile):
    """A profiler with given statistics, from which `pstats.Stats` can read them."""

    def __init__(self, stats: Profile) -> None:
        super().__init__()
        self.stats = stats  # type: ignore[assignment] # typeshed declares the seconds as int

    def create_stats(self) -> None:
        """Do nothing: `stats` is complete from the start."""


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
