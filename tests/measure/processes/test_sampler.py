"""Samples of real processes: five a second, in percent, for any length of run."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from optibench.measure.clock.phases import Recorder
from optibench.measure.processes.machine import available_cores
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.sampler import OpenPhase, Sampler, Scale
from optibench.measure.processes.tree import ProcessTree, Snapshot

SPIN = "import time\nend = time.time() + {}\nwhile time.time() < end: pass\n"


def test_samples_come_five_times_a_second_and_name_the_open_phase() -> None:
    begin = time.time()
    with Recorder(time.perf_counter()) as recorder:
        with recorder.phase("load"):
            time.sleep(0.5)
        with recorder.phase("search"):
            time.sleep(0.6)
    assert 5 <= len(recorder.samples) <= 8
    phases = {sample.phase for sample in recorder.samples}
    assert {"startup", "load", "search"} <= phases <= {"startup", "load", "search", "between"}
    times = [sample.time for sample in recorder.samples]
    assert times == sorted(times)
    assert begin - 0.01 <= times[0]
    assert times[-1] <= time.time() + 0.01
    assert recorder.samples[0].pss_bytes is not None
    assert recorder.notes == []


def test_a_busy_child_shows_as_a_share_of_the_cores() -> None:
    with Recorder(time.perf_counter()) as recorder, recorder.phase("search"):
        subprocess.run([sys.executable, "-c", SPIN.format(1.0)], check=True)
    metrics = recorder.metrics()
    one_core = 100 / available_cores()
    assert 0.4 * one_core < metrics["search_cpu_percent"] <= 100
    assert max(sample.processes for sample in recorder.samples) >= 2
    assert all(0 <= sample.cpu_percent <= 100 for sample in recorder.samples)
    assert all(0 < sample.memory_percent <= 100 for sample in recorder.samples)


def test_a_long_run_keeps_few_samples_and_every_peak() -> None:
    tree = ProcessTree()
    looks = [Snapshot(float(n), float(n if n != 500 else 500.5), n, (1,)) for n in range(1, 1001)]
    pending = iter(looks)
    tree.snapshot = lambda: next(pending)  # type: ignore[method-assign]
    place = OpenPhase("search", 1)
    sampler = Sampler(tree, MemoryGauge(tree.counters), lambda: place, Scale(4.0, 10**9, 0.0))
    sampler.max_samples = 100
    for _ in looks:
        sampler._sample()  # a thousand samples without the seconds between them
    assert 50 <= len(sampler.samples) <= 100
    assert sampler.peaks["search"].cpu_percent == pytest.approx(37.5)
    times = [sample.time for sample in sampler.samples]
    assert times == sorted(times)
    assert sum(s.cpu_percent for s in sampler.samples) / len(times) == pytest.approx(25, rel=0.05)
    assert max(sample.rss_bytes for sample in sampler.samples) >= 960


def test_the_thread_ends_with_the_recorder() -> None:
    with Recorder(time.perf_counter()):
        assert "optibench-sampler" in {thread.name for thread in threading.enumerate()}
    assert "optibench-sampler" not in {thread.name for thread in threading.enumerate()}


def test_a_sample_that_the_system_refuses_is_counted_and_reported() -> None:
    with Recorder(time.perf_counter()) as recorder:
        snapshot = recorder.tree.snapshot
        refusals = iter([True])

        def refuse_once() -> Snapshot:
            if next(refusals, False):
                message = "too many open files"
                raise OSError(message)
            return snapshot()

        recorder.tree.snapshot = refuse_once  # type: ignore[method-assign]
        time.sleep(0.5)
    assert recorder.notes == ["1 resource samples are missing"]
    assert len(recorder.samples) >= 2
