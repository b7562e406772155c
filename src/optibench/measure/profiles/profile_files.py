"""Write the profile artifacts of a run: driver.prof, workers.prof and functions.txt."""

from __future__ import annotations

import io
import marshal
import pstats
from typing import TYPE_CHECKING, NamedTuple

from optibench.measure.profiles.merged_profile import MergedProfile, merge, statistics
from optibench.measure.profiles.trial_profiles import COST_SHARE

if TYPE_CHECKING:
    import cProfile
    from collections.abc import Sequence
    from pathlib import Path


class Wording(NamedTuple):
    """The words of functions.txt.

    Attributes:
        work: what was profiled.
        units: what the profiles are counted in.
        note: a line on what is not included; may be empty.
    """

    work: str
    units: str
    note: str


TRIALS = Wording("fit and score", "trials", "")
CALLS = Wording(
    "reading, training and predicting",
    "calls",
    "Not included: the engine's own code, Dask's tasks and Spark's JVM (see engine.json).\n",
)


def write_profiles(
    directory: Path,
    driver: cProfile.Profile | None,
    trials: Sequence[bytes],
    calls: Sequence[bytes] = (),
) -> list[Path]:
    """Write `driver.prof`, `workers.prof` and `functions.txt`.

    functions.txt prints the workers' profile by cumulative time. If no worker sent one (trials
    with search=none), it prints the driver's, which contains the refit. Files without content are
    not written.

    Args:
        directory: where to write; it is created if missing.
        driver: the driver's profiler, disabled; None if profiling is off.
        trials: parts from `TrialProfiler.dump`, in any order.
        calls: parts of fits that use all workers.

    Returns:
        The paths of the files written.
    """
    profiles: dict[str, MergedProfile] = {}
    if driver is not None:
        merged = merge([marshal.dumps(statistics(driver))])
        if merged.stats:  # empty if the run ended before it did anything
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
    wording = CALLS if calls else TRIALS
    written[-1].write_text(_functions_text(profiles, wording), encoding="utf-8")
    return written


def _functions_text(profiles: dict[str, MergedProfile], wording: Wording) -> str:
    stream = io.StringIO()
    if "workers" in profiles:
        shown = profiles["workers"]
        work, units, note = wording
        count = shown.profiled + shown.left_out + shown.skipped
        stream.write(f"Workers: {work} of {shown.profiled} of {count} {units}, merged.\n{note}")
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
