"""Memory of real forked processes: shared pages count once; expensive readings are made seldom."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from optibench.measure.processes.counters import Reading, system_counters
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.tree import ProcessTree, Snapshot

MEGABYTE = 1024 * 1024
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's")


@LINUX
def test_memory_shared_by_forked_processes_counts_once() -> None:
    tree = ProcessTree()
    block = bytearray(os.urandom(MEGABYTE) * 60)
    children = []
    try:
        for _ in range(3):
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
        snapshot = tree.snapshot()
        reading = MemoryGauge(tree.counters).measure(snapshot, 0.0)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert len(snapshot.pids) >= 4
    assert reading.pss_bytes is not None
    assert snapshot.rss_bytes > 4 * len(block)
    assert len(block) < reading.pss_bytes < snapshot.rss_bytes - 2 * len(block)


class _Counters:
    """Counters that say what the test wants and count how often the PSS is read."""

    notes: tuple[str, ...] = ()

    def __init__(self, pss_bytes: int | None = 60, read_seconds: float = 0.0) -> None:
        self.pss = pss_bytes
        self.read_seconds = read_seconds
        self.reads = 0

    def read(self, pid: int) -> Reading | None:
        return Reading(1.0, pid, 0.0, 0.0, 77, 1, zombie=False)

    def children(self, pid: int, threads: int) -> list[int]:  # noqa: ARG002
        return []

    def births(self) -> int:
        return 0

    def pss_bytes(self, pid: int) -> int | None:
        self.reads += 1
        self.last_pid = pid
        end = time.thread_time() + self.read_seconds
        while time.thread_time() < end:
            pass
        return self.pss


def snapshot(seconds: float, rss_bytes: int = 100) -> Snapshot:
    return Snapshot(seconds, 0.0, rss_bytes, (1,))


def test_the_pss_is_read_when_old_and_estimated_from_rss_in_between() -> None:
    counters = _Counters()
    gauge = MemoryGauge(counters)
    assert gauge.measure(snapshot(0.0), 2.0) == (60, 60)
    assert gauge.measure(snapshot(1.9, rss_bytes=50), 2.0) == (30, None)
    assert gauge.measure(snapshot(2.0), 2.0) == (60, 60)
    assert counters.reads == 2


def test_a_new_high_of_rss_is_read_at_once_but_at_most_twice_a_second() -> None:
    gauge = MemoryGauge(_Counters())
    gauge.measure(snapshot(0.0), 2.0)
    assert gauge.measure(snapshot(0.6, rss_bytes=104), 2.0).pss_bytes is None
    assert gauge.measure(snapshot(0.6, rss_bytes=106), 2.0).pss_bytes == 60
    assert gauge.measure(snapshot(0.8, rss_bytes=200), 2.0).pss_bytes is None
    assert gauge.measure(snapshot(1.1, rss_bytes=200), 2.0).pss_bytes == 60
    # No new high: it was as much before.
    assert gauge.measure(snapshot(1.7, rss_bytes=200), 2.0).pss_bytes is None


def test_an_expensive_reading_is_made_less_often() -> None:
    gauge = MemoryGauge(_Counters(read_seconds=0.04))
    gauge.measure(snapshot(0.0), 2.0)
    assert gauge.measure(snapshot(4.0), 2.0).pss_bytes is None
    assert gauge.measure(snapshot(20.0), 2.0).pss_bytes == 60


def test_a_process_whose_pss_may_not_be_read_counts_with_its_rss_and_is_reported() -> None:
    gauge = MemoryGauge(_Counters(pss_bytes=None))
    assert gauge.measure(snapshot(0.0), 2.0).memory_bytes == 77
    assert gauge.unreadable == {1}


@LINUX
def test_a_process_that_has_ended_weighs_nothing() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert system_counters().pss_bytes(child) == 0
