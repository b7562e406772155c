"""Workers' series beside the driver's samples, on numbers that can be worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optibench.measure.clock.merged import MergedResources
from optibench.measure.clock.spans import Span
from optibench.measure.processes.sampler import Scale
from optibench.measure.processes.tree import ProcessKey
from optibench.measure.remote.monitor import GONE, STOPPED
from optibench.measure.remote.series import Point, Series, write_workers
from optibench.records import Sample

MIB = 2**20
HERE, THERE = "driver/1", "worker/2"


def series(*points, machine=THERE, end=STOPPED, pid=7):
    """Points: (time, CPU seconds, MiB)."""
    looks = tuple(Point(t, cpu, 2 * mib * MIB, mib * MIB, 3) for t, cpu, mib in points)
    return Series("worker", machine, ProcessKey(pid, 0.5), 4.0, 1000 * MIB, looks, end)


def sample(time, cpu_percent=0.0, mib=100, phase="search"):
    return Sample(time, phase, cpu_percent, mib / 10, 2 * mib * MIB, mib * MIB, 1)


def merged(*workers, samples=()):
    return MergedResources(workers, samples, Scale(4.0, 1000 * MIB, 0.0), HERE)


def own_metrics(*phases, cpu_seconds=1.0, mib=100):
    own = {}
    for prefix in ("", *(f"{phase}_" for phase in phases)):
        own |= {f"{prefix}cpu_percent": 10.0, f"{prefix}memory_percent": mib / 10}
        own |= {f"{prefix}cpu_seconds": cpu_seconds}
        own |= {f"{prefix}peak_memory_bytes": float(mib * MIB)}
    return own


def test_cpu_of_a_phase_is_interpolated_at_its_boundaries():
    one = series((0, 0.0, 10), (10, 5.0, 10), (20, 25.0, 10))
    spans = [
        Span("load", 0, 5),
        Span("search", 5, 15),
        Span("fit", 15, 16),
        Span("search", 16, 20),
    ]
    found = merged(one).metrics(own_metrics("load", "search", "fit"), spans)
    assert found["load_cpu_seconds"] == pytest.approx(1.0 + 2.5)
    assert found["search_cpu_seconds"] == pytest.approx(1.0 + 12.5 + 8.0)
    assert found["fit_cpu_seconds"] == pytest.approx(1.0 + 2.0)
    assert found["cpu_seconds"] == pytest.approx(1.0 + 25.0)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 5)), min_size=1, max_size=8),
    st.lists(st.floats(-2, 50), min_size=2, max_size=8),
)
def test_phases_share_out_what_a_worker_used_without_loss_or_gain(steps, edges):
    times, used = (np.cumsum(column) for column in zip(*steps, strict=True))
    one = series(*((t, cpu, 1) for t, cpu in zip(times, used, strict=True)))
    edges = sorted(edges)
    phases = [f"p{number}" for number in range(len(edges) - 1)]
    spans = [Span(*parts) for parts in zip(phases, edges, edges[1:], strict=False)]
    found = merged(one).metrics(own_metrics(*phases, cpu_seconds=0.0), spans)
    by_phase = [found[f"{phase}_cpu_seconds"] for phase in phases]
    assert sum(by_phase) == pytest.approx(found["cpu_seconds"], abs=1e-6)
    assert min(by_phase) >= 0
    assert found["cpu_seconds"] <= used[-1] + 1e-6


def test_memory_is_the_sum_at_one_moment_and_not_of_peaks_at_different_ones():
    first = series((0, 0, 300), (10, 0, 50), (20, 0, 50))
    second = series((0, 0, 40), (10, 0, 200), (20, 0, 10), pid=8)
    driver = [sample(0.1), sample(5, mib=120), sample(15, mib=90)]
    spans = [Span("load", 0, 8), Span("search", 8, 20)]
    own = own_metrics("load", "search", mib=90)
    found = merged(first, second, samples=driver).metrics(own, spans)
    assert found["load_peak_memory_bytes"] == (300 + 40 + 120) * MIB
    assert found["search_peak_memory_bytes"] == (300 + 40 + 120) * MIB  # what it began with
    assert found["peak_memory_bytes"] == (300 + 40 + 120) * MIB
    later = merged(first, second, samples=driver).metrics(own, [Span("search", 11, 20)])
    assert later["search_peak_memory_bytes"] == (50 + 200 + 120) * MIB


def test_a_worker_that_was_lost_uses_nothing_any_more():
    lost = series((0, 0.0, 300), (10, 4.0, 0), end=GONE)
    times = np.array([-1.0, 5.0, 10.0, 50.0])
    assert lost.memory_bytes_at(times).tolist() == [0, 300 * MIB, 0, 0]
    assert lost.cpu_seconds(times).tolist() == [0, 2, 4, 4]
    assert lost.processes_at(times).tolist() == [0, 3, 0, 0]


def test_percentages_are_of_each_machine_once():
    workers = [series((0, 0, 100), (10, 40, 100)), series((0, 0, 100), (10, 40, 100), pid=8)]
    driver = [sample(0), sample(10, cpu_percent=50.0)]
    elsewhere = merged(*workers, samples=driver)
    assert elsewhere.all_machines.cores == 8
    # 2 of the driver's 4 cores, and 8 in the workers: more than a machine of 4 can do.
    assert elsewhere.merged_samples()[1].cpu_percent == 100.0
    here = merged(replace(workers[0], machine=HERE), samples=driver)
    assert here.all_machines.cores == 4
    half = merged(series((0, 0, 100), (10, 10, 100)), samples=driver).merged_samples()[1]
    assert half.cpu_percent == pytest.approx(100 * (2 + 1) / 8)
    assert half.memory_percent == pytest.approx(100 * (100 + 100) / 2000)
    assert (half.rss_bytes, half.pss_bytes, half.processes) == (400 * MIB, 200 * MIB, 4)


def test_the_cpu_peak_is_of_a_sample_within_the_phase_and_not_below_its_mean():
    one = series((0, 0, 1), (4, 0, 1), (5, 8, 1), (10, 8, 1))
    driver = [sample(time) for time in range(11)]
    spans = [Span("load", 0, 4.5), Span("search", 4.5, 10)]
    found = merged(one, samples=driver).metrics(
        own_metrics("load", "search", cpu_seconds=0), spans
    )
    assert found["load_cpu_percent"] == pytest.approx(100 * 4 / (4.5 * 8))
    assert found["search_cpu_percent"] == pytest.approx(100 * 4 / (5.5 * 8))
    assert found["cpu_percent"] == pytest.approx(100.0)


def test_a_file_that_was_cut_off_gives_what_is_whole():
    facts = {
        "host": "w",
        "machine": THERE,
        "pid": 3,
        "start": 1.5,
        "cores": 2.0,
        "memory_bytes": 9,
    }
    text = json.dumps(facts) + "\n1.0,0.5,10,,1\n2.0,0.75,12,11,1\n3.0,0.8,1"
    found = Series.parse(text)
    assert found.points == (Point(1.0, 0.5, 10, None, 1), Point(2.0, 0.75, 12, 11, 1))
    assert found.end == ""
    assert found.moved(-1.0).points[0].time == 0.0
    assert Series.parse("") is None
    assert Series.parse(json.dumps(facts) + "\n") is None


def test_every_look_at_every_worker_is_a_row(tmp_path):
    write_workers(tmp_path / "workers.csv", [series((1, 0.5, 1), (2, 0.75, 1)), series((1, 0, 1))])
    rows = (tmp_path / "workers.csv").read_text().splitlines()
    assert rows[0] == "host,pid,time,cpu_seconds,rss_bytes,pss_bytes,processes"
    assert rows[2] == f"worker,7,2,0.75,{2 * MIB},{MIB},3"
    assert len(rows) == 4
