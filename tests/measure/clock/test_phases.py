"""Phases: disjoint, complete, true in CPU seconds also where they are short."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from optibench.measure.clock.phases import PHASES, Recorder

SPIN = "import time\nwhile time.process_time() < {}: pass\n"
SECONDS = [f"{phase}_seconds" for phase in PHASES]


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def pause(seconds: float) -> float:
    """Sleep; how long it really took on a machine that others use, too."""
    begin = time.perf_counter()
    time.sleep(seconds)
    return time.perf_counter() - begin


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-S", "-E", "-c", code], check=True)


def test_phases_add_up_to_the_wall_time() -> None:
    slept: dict[str, float] = {}
    begin = time.perf_counter()
    with Recorder(begin) as recorder:
        for phase in ("load", "split", "search", "fit", "score", "tracking"):
            with recorder.phase(phase):
                slept[phase] = pause(0.1)
        recorder.stop()
        wall = time.perf_counter() - begin
        time.sleep(0.2)
    metrics = recorder.metrics()
    assert metrics["wall_seconds"] == pytest.approx(wall, abs=0.02)
    assert sum(metrics[name] for name in SECONDS) == pytest.approx(wall, rel=0.05)
    assert all(
        metrics[f"{phase}_seconds"] == pytest.approx(seconds, abs=0.03)
        for phase, seconds in slept.items()
    )


def test_startup_reaches_from_an_earlier_entry_to_the_first_phase_and_can_be_taken_up_again() -> (
    None
):
    with Recorder(time.perf_counter() - 1.5) as recorder:
        with recorder.phase("load"):
            time.sleep(0.02)
        with recorder.phase("startup"):
            slept = pause(0.2)
    assert recorder.metrics()["startup_seconds"] == pytest.approx(1.5 + slept, abs=0.1)
    assert recorder.start_time == pytest.approx(recorder.spans[0].start)
    assert [span.phase for span in recorder.spans] == ["startup", "load", "startup"]


def test_an_inner_phase_suspends_the_outer_one() -> None:
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("search"):
            slept = pause(0.1)
            with recorder.phase("tracking"):
                inside = pause(0.2)
            slept += pause(0.1)
        with recorder.phase("search"):
            slept += pause(0.1)
    metrics = recorder.metrics()
    assert metrics["search_seconds"] == pytest.approx(slept, abs=0.05)
    assert metrics["tracking_seconds"] == pytest.approx(inside, abs=0.03)
    ends = [span.end for span in recorder.spans]
    starts = [span.start for span in recorder.spans]
    assert all(start >= end for start, end in zip(starts[1:], ends, strict=False))


def test_a_phase_of_two_milliseconds_has_its_true_cpu_seconds_and_share() -> None:
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("load"):
            spin(0.002)
        with recorder.phase("split"):
            time.sleep(0.03)
    metrics = recorder.metrics()
    assert 0.002 <= metrics["load_cpu_seconds"] < 0.006
    assert metrics["load_cpu_percent"] > 0
    assert metrics["split_cpu_seconds"] < 0.01


def test_cpu_of_children_goes_to_the_phase_in_which_they_worked() -> None:
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("search"):
            for _ in range(3):
                run_python(SPIN.format(0.1))
        with recorder.phase("fit"):
            time.sleep(0.05)
    metrics = recorder.metrics()
    assert 0.3 <= metrics["search_cpu_seconds"] < 0.6
    assert metrics["fit_cpu_seconds"] < 0.03
    assert metrics["cpu_seconds"] >= metrics["search_cpu_seconds"] + metrics["fit_cpu_seconds"]


def test_memory_of_a_phase_shorter_than_the_sampling_interval_is_seen_at_its_end() -> None:
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("load"):
            pass
        with recorder.phase("fit"):
            block = bytearray(80_000_000)
    metrics = recorder.metrics()
    grown = metrics["fit_peak_memory_bytes"] - metrics["load_peak_memory_bytes"]
    assert grown > 0.4 * len(block)


def test_the_peaks_of_the_run_are_never_below_those_of_a_phase() -> None:
    with Recorder(time.perf_counter()) as recorder:
        for phase in ("load", "search"):
            with recorder.phase(phase):
                spin(0.3)
    metrics = recorder.metrics()
    for name in ("cpu_percent", "memory_percent", "peak_memory_bytes"):
        parts = [value for key, value in metrics.items() if key.endswith("_" + name)]
        assert metrics[name] >= max(parts) > 0
    assert metrics["cpu_percent"] <= 100


def test_phases_that_were_not_entered_have_zero_seconds_and_no_resources() -> None:
    with Recorder(time.perf_counter()) as recorder:
        pass
    metrics = recorder.metrics()
    assert all(metrics[name] == 0.0 for name in SECONDS[1:])
    assert "search_cpu_percent" not in metrics
    assert "startup_cpu_percent" in metrics
    assert "shutdown_seconds" not in metrics


def test_shutdown_lies_outside_the_wall_time() -> None:
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("search"):
            time.sleep(0.1)
        recorder.stop()
        before = recorder.metrics()
        with recorder.phase("shutdown"):
            slept = pause(0.15)
        with recorder.phase("tracking"):
            time.sleep(0.05)
    after = recorder.metrics()
    assert after.pop("shutdown_seconds") == pytest.approx(slept, abs=0.03)
    assert after == before
    assert recorder.spans[-1].phase == "shutdown"


def fail_after_the_clock_was_stopped(recorder: Recorder, slept: list[float]) -> None:
    with recorder, recorder.phase("search"):
        slept.append(pause(0.05))
        with recorder.phase("tracking"):
            slept.append(pause(0.05))
            recorder.stop()
            pause(0.6)
            message = "broke"
            raise RuntimeError(message)


def test_the_clock_can_be_stopped_inside_a_phase_and_an_error_leaves_it_whole() -> None:
    recorder = Recorder(time.perf_counter())
    slept: list[float] = []
    with pytest.raises(RuntimeError, match="broke"):
        fail_after_the_clock_was_stopped(recorder, slept)
    metrics = recorder.metrics()
    assert metrics["wall_seconds"] == pytest.approx(sum(slept), abs=0.3)
    assert metrics["tracking_seconds"] == pytest.approx(slept[1], abs=0.3)


def test_metrics_can_be_asked_for_while_a_phase_is_open() -> None:
    with Recorder(time.perf_counter()) as recorder, recorder.phase("search"):
        slept = pause(0.1)
        assert recorder.metrics()["search_seconds"] == pytest.approx(slept, abs=0.08)
        slept += pause(0.1)
        assert recorder.metrics()["search_seconds"] == pytest.approx(slept, abs=0.15)


def test_an_unknown_phase_is_refused_by_name() -> None:
    with (
        Recorder(time.perf_counter()) as recorder,
        pytest.raises(ValueError, match="'serach'"),
        recorder.phase("serach"),
    ):
        pass


def test_a_recorder_that_was_never_entered_still_counts() -> None:
    recorder = Recorder(time.perf_counter())
    with recorder.phase("load"):
        time.sleep(0.02)
    recorder.stop()
    assert recorder.metrics()["load_seconds"] >= 0.02
    assert recorder.samples == []
