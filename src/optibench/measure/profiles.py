"""cProfile where the work happens: in every worker around fit and score, merged in the driver.

A part is what one worker sends back for one batch: a marshalled dictionary in the layout of
`pstats`. Parts merge by addition. File names are cut at the installation's own folders, so that
parts of machines with different installations merge, and no folder above a package is told.
"""

from __future__ import annotations

import cProfile
import functools
import io
import marshal
import pstats
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

Function = tuple[str, int, str]
Timing = tuple[int, int, float, float]  # primitive calls, calls, own seconds, cumulative seconds
Profile = dict[Function, tuple[int, int, float, float, dict[Function, Timing]]]

SKIPPED: Function = ("~", 0, "<trials without a profile: another profiler was active>")

# /x/site-packages/sklearn/base.py -> sklearn/base.py; /x/lib/python3.11/os.py -> python3.11/os.py;
# /x/src/optibench/trials.py (an editable installation) -> optibench/trials.py
_INSTALLATION = re.compile(
    r"^.*[/\\](?:site-packages|dist-packages)[/\\]"
    r"|^.*[/\\]lib(?:64)?[/\\](?=python3\.\d+[/\\])"
    r"|^.*[/\\]src[/\\](?=optibench[/\\])"
)


class TrialProfiler:
    """A worker's cProfile: each `with` block adds to it, `dump` hands over what was collected.

    It belongs to one thread. Where another profiler is active in the process (since Python 3.12
    there is one for all threads) the block runs without a profile, and is counted as such.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        """Prepare; with `enabled=False` blocks run bare and `dump` gives None."""
        self._profile = cProfile.Profile() if enabled else None
        self._is_active = False
        self._skipped = 0

    def __enter__(self) -> Self:
        """Go on collecting."""
        if self._profile is not None:
            self._is_active = _enable(self._profile)
            self._skipped += not self._is_active
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

    def dump(self) -> bytes | None:
        """Hand over what was collected since the last dump, and begin anew.

        Returns:
            a part for `merge`, or None where profiling is off.
        """
        if self._profile is None:
            return None
        profile = _collected(self._profile)
        self._profile.clear()
        if self._skipped:
            profile[SKIPPED] = (self._skipped, self._skipped, 0.0, 0.0, {})
            self._skipped = 0
        return marshal.dumps(profile)


class MergedProfile(NamedTuple):
    """The sum of parts.

    Attributes:
        stats: in the layout of `pstats`, with shortened file names.
        parts: how many parts went into it.
        skipped: blocks that ran without a profile because another profiler was active.
    """

    stats: Profile
    parts: int
    skipped: int

    def to_pstats(self, stream: io.StringIO | None = None) -> pstats.Stats:
        """Wrap it for sorting and printing."""
        return pstats.Stats(_Collected(self.stats), stream=stream or sys.stdout)


def merge(parts: Iterable[bytes]) -> MergedProfile:
    """Add up the parts that workers sent back."""
    total: Profile = {}
    count = 0
    for part in parts:
        _add(total, marshal.loads(part))  # noqa: S302 - written by our own workers
        count += 1
    skipped = total.get(SKIPPED, (0,))[0]
    return MergedProfile(total, count, skipped)


def write_profiles(
    directory: Path, driver: cProfile.Profile | None, worker_parts: Sequence[bytes]
) -> list[Path]:
    """Write `driver.prof`, `workers.prof` and `functions.txt`.

    functions.txt prints the workers' profile by cumulative time; where no worker sent one
    (search=none), the driver's, which holds the refit. What is missing is not written.

    Args:
        directory: where they go; it is made where it is missing.
        driver: the driver's profiler, disabled; None where profiling is off.
        worker_parts: what `TrialProfiler.dump` gave, in any order.

    Returns:
        the files written.
    """
    profiles: dict[str, MergedProfile] = {}
    if driver is not None:
        profiles["driver"] = merge([marshal.dumps(_collected(driver))])
    if worker_parts:
        profiles["workers"] = merge(worker_parts)
    if not profiles:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, profile in profiles.items():
        written.append(directory / f"{name}.prof")
        written[-1].write_bytes(marshal.dumps(profile.stats))
    written.append(directory / "functions.txt")
    written[-1].write_text(_functions_text(profiles), encoding="utf-8")
    return written


def _functions_text(profiles: dict[str, MergedProfile]) -> str:
    stream = io.StringIO()
    if "workers" in profiles:
        shown = profiles["workers"]
        stream.write(f"Workers: fit and score of every trial, {shown.parts} batches merged.\n")
        if shown.skipped:
            reason = "another profiler was active in the worker"
            stream.write(f"{shown.skipped} of the timed blocks ran without a profile: {reason}.\n")
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
