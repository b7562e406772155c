"""Profiles of real work: what is at the top, how parts add up, what a second profiler does."""

from __future__ import annotations

import cProfile
import math
import pstats
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from optibench.measure.profiles.merged_profile import merge
from optibench.measure.profiles.profile_files import write_profiles
from optibench.measure.profiles.trial_profiles import TrialProfiler

if TYPE_CHECKING:
    from pathlib import Path


def fold(depth: int) -> int:
    return 1 if depth == 0 else fold(depth - 1) + 1


def every_trial() -> TrialProfiler:
    return TrialProfiler(cost_share=math.inf)


def part(profiler: TrialProfiler) -> bytes:
    dumped = profiler.dump()
    assert dumped is not None
    return dumped


def calls(stats: dict, name: str) -> list[tuple[int, int]]:
    return [value[:2] for (_, _, function), value in stats.items() if function == name]


def test_only_what_runs_inside_the_blocks_is_profiled() -> None:
    profiler = every_trial()
    for _ in range(3):
        with profiler:
            fold(4)
        fold(100)
    assert calls(merge([part(profiler)]).stats, "fold") == [(3, 15)]


def test_a_dump_begins_anew() -> None:
    profiler = every_trial()
    with profiler:
        fold(1)
    first = part(profiler)
    with profiler:
        fold(2)
    assert calls(merge([first]).stats, "fold") == [(1, 2)]
    assert calls(merge([part(profiler)]).stats, "fold") == [(1, 3)]
    assert merge([part(profiler)]).stats == {}


def test_parts_add_up_as_pstats_adds_them(tmp_path: Path) -> None:
    parts = []
    for depth in (2, 5, 7):
        profiler = every_trial()
        with profiler:
            fold(depth)
            sorted([3, 1, 2], key=lambda number: -number)
        parts.append(part(profiler))
        (tmp_path / f"{depth}.prof").write_bytes(parts[-1])
    expected = pstats.Stats(*(str(tmp_path / f"{depth}.prof") for depth in (2, 5, 7))).stats  # type: ignore[attr-defined]
    merged = merge(parts)
    assert timings(merged.stats) == timings(expected)
    assert (merged.parts, merged.profiled, merged.left_out, merged.skipped) == (3, 3, 0, 0)


def timings(stats: dict) -> dict:
    """By line and function (file names differ in length): the numbers, and who called."""
    return {
        key[1:]: (
            tuple(round(number, 12) for number in value[:4]),
            {
                caller[1:]: tuple(round(number, 12) for number in numbers)
                for caller, numbers in value[4].items()
            },
        )
        for key, value in stats.items()
        if not key[2].startswith("<trials")
    }


def test_an_exception_in_the_block_passes_and_ends_the_profile() -> None:
    profiler = every_trial()
    with pytest.raises(ZeroDivisionError), profiler:
        fold(1 // 0)
    assert sys.getprofile() is None
    with profiler:
        fold(1)
    assert calls(merge([part(profiler)]).stats, "fold") == [(1, 2)]


def test_call_heavy_trials_are_profiled_now_and_then_so_that_it_costs_little() -> None:
    profiler = TrialProfiler(cost_share=0.05)
    profiled_seconds, begin = 0.0, time.perf_counter()
    for _ in range(200):
        start, before = time.perf_counter(), profiler._counts.total()
        with profiler:
            is_profiled = sys.getprofile() is not None
            for _ in range(40):
                fold(100)
        assert profiler._counts.total() == before + 1
        profiled_seconds += is_profiled * (time.perf_counter() - start)
    merged = merge([part(profiler)])
    assert merged.profiled >= 1
    assert merged.profiled + merged.left_out == 200
    assert profiled_seconds < 0.3 * (time.perf_counter() - begin)
    # Its numbers are those of the profiled trials.
    assert calls(merged.stats, "fold") == [(40 * merged.profiled, 4040 * merged.profiled)]


def test_trials_of_few_calls_are_all_profiled() -> None:
    profiler = TrialProfiler(cost_share=0.2)  # 8 ms of 40: a busy machine delays a call by some ms
    time.sleep(0.5)  # what an earlier test has cost is earned
    for _ in range(5):
        with profiler:
            sum(range(2_000_000))
    assert merge([part(profiler)]).profiled == 5


def test_switched_off_it_leaves_the_block_alone() -> None:
    profiler = TrialProfiler(enabled=False)
    with profiler:
        assert sys.getprofile() is None
        fold(3)
    assert profiler.dump() is None


def test_another_active_profiler_is_left_alone_and_the_skipped_blocks_are_counted() -> None:
    other, profiler = cProfile.Profile(), every_trial()
    other.enable()
    try:
        for _ in range(2):
            with profiler:
                fold(3)
    finally:
        other.disable()
    merged = merge([part(profiler), part(profiler)])
    assert merged.skipped == 2
    assert calls(merged.stats, "fold") == []
    other.create_stats()
    assert calls(other.stats, "fold") == [(2, 8)]  # type: ignore[attr-defined]


def test_two_threads_neither_crash_nor_lose_count() -> None:
    profilers = [every_trial(), every_trial()]
    barrier = threading.Barrier(2)

    def work(profiler: TrialProfiler) -> None:
        barrier.wait()
        with profiler:
            barrier.wait()
            fold(3)
            barrier.wait()

    threads = [threading.Thread(target=work, args=(profiler,)) for profiler in profilers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merged = merge([part(profiler) for profiler in profilers])
    profiled = sum(primitive for primitive, _ in calls(merged.stats, "fold"))
    # Since Python 3.12 one profiler serves the whole process: it may then see both threads.
    assert profiled + merged.skipped >= 2


@pytest.mark.slow
def test_a_fit_in_worker_processes_stands_at_the_top_of_the_written_text(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from sklearn.cluster import KMeans\n"
        "from optibench.measure.profiles.trial_profiles import TrialProfiler\n"
        "profiler = TrialProfiler()\n"
        "with profiler:\n"
        "    KMeans(3, n_init=5, random_state=0).fit([[i % 7, i % 5] for i in range(300)])\n"
        "sys.stdout.buffer.write(profiler.dump())\n"
    )
    parts = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
        for _ in range(2)
    ]
    written = write_profiles(tmp_path / "profile", None, parts)
    assert [path.name for path in written] == ["workers.prof", "functions.txt"]
    lines = (tmp_path / "profile" / "functions.txt").read_text().splitlines()
    assert lines[0] == "Workers: fit and score of 2 of 2 trials, merged."
    header = next(number for number, line in enumerate(lines) if "cumtime" in line)
    top = lines[header + 1 : header + 4]
    assert any("sklearn/cluster/_kmeans.py" in line and "(fit)" in line for line in top)
    assert "site-packages" not in "\n".join(lines)
    stats = pstats.Stats(str(tmp_path / "profile" / "workers.prof"))
    files = {file for file, _, _ in stats.stats}  # type: ignore[attr-defined]
    assert "sklearn/cluster/_kmeans.py" in files
    assert "sklearn/base.py" in files


def test_without_workers_the_text_shows_the_driver_and_says_so(tmp_path: Path) -> None:
    driver = cProfile.Profile()
    driver.runcall(fold, 3)
    written = write_profiles(tmp_path, driver, [])
    assert [path.name for path in written] == ["driver.prof", "functions.txt"]
    text = (tmp_path / "functions.txt").read_text()
    assert text.startswith("Driver (no worker was profiled in this run)")
    assert "(fold)" in text
    assert calls(pstats.Stats(str(tmp_path / "driver.prof")).stats, "fold") == [(1, 4)]  # type: ignore[attr-defined]


def test_with_workers_the_text_is_theirs_and_skipped_blocks_are_reported(tmp_path: Path) -> None:
    driver = cProfile.Profile()
    driver.runcall(sum, [1])
    profiler = every_trial()
    driver.enable()
    with profiler:
        fold(1)
    driver.disable()
    with profiler:
        fold(2)
    write_profiles(tmp_path, driver, [part(profiler)])
    text = (tmp_path / "functions.txt").read_text()
    assert text.splitlines()[1].startswith("1 trials ran without a profile: another profiler")
    assert "(fold)" in text
    assert "trials under another profiler" not in text


def test_with_profiling_off_nothing_is_written(tmp_path: Path) -> None:
    assert write_profiles(tmp_path / "profile", None, []) == []
    assert not (tmp_path / "profile").exists()


def test_file_names_are_cut_at_the_installation_and_stay_apart() -> None:
    import marshal

    names = {
        "/opt/env/lib/python3.11/site-packages/sklearn/base.py": "sklearn/base.py",
        "/srv/other/lib/python3.12/site-packages/sklearn/base.py": "sklearn/base.py",
        "/opt/env/lib/python3.11/site-packages/xgboost/base.py": "xgboost/base.py",
        "/usr/lib/python3.11/json/decoder.py": "python3.11/json/decoder.py",
        "/somewhere/src/optibench/trials/worker.py": "optibench/trials/worker.py",
        "/data/optibench/mine.py": "/data/optibench/mine.py",
        "~": "~",
    }
    profile = {(name, 1, "f"): (1, 1, 0.5, 1.0, {}) for name in names}
    merged = merge([marshal.dumps(profile)]).stats
    assert {file for file, _, _ in merged} == set(names.values())
    assert merged["sklearn/base.py", 1, "f"][:4] == (2, 2, 1.0, 2.0)
