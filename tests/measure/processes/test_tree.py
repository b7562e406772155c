"""The tree's CPU seconds against what the kernel tells the parent, over real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from optibench.measure.processes.counters import (
    ProcCounters,
    PsutilCounters,
    Reading,
    system_counters,
)
from optibench.measure.processes.tree import ProcessTree, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

SPIN = "import time\nwhile time.process_time() < {}: pass\n"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def python(code: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-E", "-c", code], **options)


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def paid_seconds() -> float:
    """CPU seconds of this process and of the children that it has waited for, by getrusage."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def ready(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run code in a process that prints a line when it is ready; kill it afterwards."""
    process = python(code, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_two_milliseconds_of_this_process_are_seen() -> None:
    tree = ProcessTree()
    before = tree.snapshot().cpu_seconds
    own = time.process_time()
    spin(0.002)
    after = tree.snapshot().cpu_seconds
    paid = time.process_time() - own
    assert 0.002 <= after - before <= paid + 0.002


@LINUX
def test_a_live_child_counts_to_the_millisecond() -> None:
    tree = ProcessTree()
    with ready(SPIN.format(0.2) + "print(1, flush=True)\ntime.sleep(60)") as child:
        own = tree.snapshot().cpu_seconds
        clock = time.clock_gettime(((~child.pid) << 3) | 2)
        driver = time.process_time()
        assert own >= clock - 0.001
        assert own <= clock + driver
        assert child.pid in tree.snapshot().pids


def test_children_that_lived_between_two_looks_are_counted() -> None:
    tree = ProcessTree()
    before, paid = tree.snapshot().cpu_seconds, paid_seconds()
    for _ in range(5):
        python(SPIN.format(0.06)).wait()
    used = tree.snapshot().cpu_seconds - before
    assert used == pytest.approx(paid_seconds() - paid, abs=0.02)
    assert used >= 5 * 0.06 * 0.95


def test_a_child_that_has_ended_stays_counted_and_the_total_never_falls() -> None:
    tree = ProcessTree()
    paid = paid_seconds()
    child = python(SPIN.format(0.4))
    totals = []
    while child.poll() is None:
        totals.append(tree.snapshot().cpu_seconds)
        time.sleep(0.02)
    totals += [tree.snapshot().cpu_seconds for _ in range(3)]
    assert totals == sorted(totals)
    assert totals[-1] == pytest.approx(paid_seconds() - paid, abs=0.02)


def test_what_was_alive_before_counts_only_from_then() -> None:
    with ready(SPIN.format(0.3) + "print(1, flush=True)\ntime.sleep(60)") as child:
        tree = ProcessTree()
        before = tree.snapshot().cpu_seconds
        child.kill()
        child.wait()
        assert tree.snapshot().cpu_seconds - before < 0.1
        # The dead child's 0.3 s now stand in this process's counters, and must not hide new work.
        spin(0.1)
        assert tree.snapshot().cpu_seconds - before >= 0.1 - 0.03


def test_own_time_can_be_counted_from_an_earlier_moment() -> None:
    earlier = time.process_time()
    spin(0.05)
    assert ProcessTree(own_before_seconds=earlier).snapshot().cpu_seconds >= 0.05


@LINUX
def test_an_orphan_stays_in_the_tree_and_is_counted_once_it_has_ended() -> None:
    grandchild = f"import sys\nprint(1, flush=True)\nsys.stdin.readline()\n{SPIN.format(0.3)}"
    parent = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-S', '-E', '-c', {grandchild!r}])\n"
        "time.sleep(60)"
    )
    tree = ProcessTree()
    others = set(tree.snapshot().pids)  # left by other tests: a resource tracker, say
    process = python(parent, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    pids = set(tree.snapshot().pids) - others - {process.pid}
    assert len(pids) == 1
    process.kill()
    process.wait()
    before = tree.snapshot()
    assert pids <= set(before.pids)
    process.stdin.write(b"go\n")
    process.stdin.close()
    (pid,) = pids
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        tree.snapshot()
        time.sleep(0.005)
    after = tree.snapshot()
    assert after.cpu_seconds - before.cpu_seconds >= 0.25
    spin(0.05)
    # Its time is not lost to the sum that holds the waited-for children either.
    python(SPIN.format(0.1)).wait()
    assert tree.snapshot().cpu_seconds - after.cpu_seconds >= 0.05 + 0.1 - 0.03
    process.stdout.close()


def test_a_whole_branch_that_ends_between_two_looks_is_counted_once() -> None:
    child = SPIN.format(0.15)
    middle = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-S', '-E', '-c', {child!r}])\n"
        "time.sleep(0.1)\nprint(1, flush=True)\np.wait()"
    )
    tree = ProcessTree()
    others = set(tree.snapshot().pids)
    paid, before = paid_seconds(), tree.snapshot().cpu_seconds
    process = python(middle, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert len(set(tree.snapshot().pids) - others) == 2
    process.wait()
    process.stdout.close()
    used = tree.snapshot().cpu_seconds - before
    assert used == pytest.approx(paid_seconds() - paid, abs=0.025)


@LINUX
def test_a_zombie_is_counted_but_is_no_live_process() -> None:
    tree = ProcessTree()
    child = python(SPIN.format(0.2))
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    snapshot = tree.snapshot()
    assert child.pid not in snapshot.pids
    assert snapshot.cpu_seconds >= 0.19
    child.wait()
    assert tree.snapshot().cpu_seconds >= snapshot.cpu_seconds


def test_descendants_finds_every_generation_and_not_this_process() -> None:
    code = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-S', '-E', '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    process = python(code, stdout=subprocess.PIPE)
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    try:
        pids = {key.pid for key in descendants()}
        assert {process.pid, grandchild} <= pids
        assert os.getpid() not in pids
    finally:
        os.kill(grandchild, signal.SIGKILL)
        process.kill()
        process.wait()
        process.stdout.close()


def test_psutil_gives_the_same_tree_where_there_is_no_proc() -> None:
    tree = ProcessTree(counters=PsutilCounters())
    paid = paid_seconds()
    python(SPIN.format(0.2)).wait()
    used = tree.snapshot().cpu_seconds
    assert used == pytest.approx(paid_seconds() - paid, abs=0.05)
    assert tree.counters.notes


@LINUX
def test_proc_readings_agree_with_psutil() -> None:
    with ready("import time\nprint(1, flush=True)\ntime.sleep(60)") as child:
        proc, other = ProcCounters().read(child.pid), PsutilCounters().read(child.pid)
        assert proc is not None
        assert other is not None
        assert proc.parent == other.parent == os.getpid()
        assert proc.own_seconds == pytest.approx(other.own_seconds, abs=0.02)
        assert proc.rss_bytes == pytest.approx(other.rss_bytes, rel=0.1)
        assert child.pid in system_counters().children(os.getpid(), threads=2)
        full = psutil.Process(child.pid).memory_full_info()
        assert ProcCounters().pss_bytes(child.pid) == pytest.approx(full.pss, rel=0.05)


def test_a_child_that_a_thread_started_belongs_to_the_tree() -> None:
    started: list[subprocess.Popen[bytes]] = []
    done = threading.Event()

    def work() -> None:
        started.append(python("import time; time.sleep(60)"))
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: bool(started))
    try:
        assert started[0].pid in ProcessTree().snapshot().pids
        assert started[0].pid in {key.pid for key in descendants()}
    finally:
        done.set()
        thread.join()
        started[0].kill()
        started[0].wait()


class Script:
    """Counters that say what is written, look after look: what the kernel cannot be made to do."""

    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.readings: dict[int, Reading] = {}

    def set(
        self, pid: int, parent: int, own: float, reaped: float = 0.0, *, start: float = 1.0
    ) -> None:
        self.readings[pid] = Reading(start, parent, own, reaped, 10, 1, zombie=False)

    def read(self, pid: int) -> Reading | None:
        return self.readings.get(pid)

    def children(self, pid: int, threads: int) -> list[int]:  # noqa: ARG002
        return [child for child, reading in self.readings.items() if reading.parent == pid]

    def pss_bytes(self, pid: int) -> int | None:  # noqa: ARG002
        return 0

    def births(self) -> int:
        return time.monotonic_ns()


@pytest.fixture
def script() -> Script:
    script = Script()
    script.set(os.getpid(), 0, own=5.0, reaped=2.0)
    return script


def test_an_orphan_that_init_waited_for_is_not_missing_beside_waited_for_children(
    script: Script,
) -> None:
    me = os.getpid()
    tree = ProcessTree(counters=script)
    script.set(101, me, own=1.0)
    script.set(102, 101, own=3.0, reaped=1.0)
    assert tree.snapshot().cpu_seconds == pytest.approx(5.0)
    del script.readings[101]
    script.set(me, 0, own=5.0, reaped=3.0)
    script.set(102, 1, own=4.0, reaped=1.0)
    assert tree.snapshot().cpu_seconds == pytest.approx(6.0)
    del script.readings[102]
    script.set(me, 0, own=5.0, reaped=3.5)  # half a second of children that were never seen
    assert tree.snapshot().cpu_seconds == pytest.approx(6.5)


def test_the_total_does_not_fall_while_a_child_is_between_its_end_and_its_parents_counters(
    script: Script,
) -> None:
    me = os.getpid()
    tree = ProcessTree(counters=script)
    script.set(101, me, own=1.0, reaped=2.0)
    assert tree.snapshot().cpu_seconds == pytest.approx(3.0)
    del script.readings[101]
    assert tree.snapshot().cpu_seconds == pytest.approx(3.0)
    script.set(me, 0, own=5.0, reaped=5.2)
    assert tree.snapshot().cpu_seconds == pytest.approx(3.2)


def test_waited_for_time_in_coarse_ticks_does_not_hide_the_fine_last_value(script: Script) -> None:
    me = os.getpid()
    tree = ProcessTree(counters=script)
    script.set(101, me, own=0.0)
    script.set(102, 101, own=0.0199)
    tree.snapshot()
    del script.readings[102]
    script.set(101, me, own=0.0, reaped=0.01)
    script.set(me, 0, own=5.5, reaped=2.0)
    assert tree.snapshot().cpu_seconds == pytest.approx(0.5199)


def test_a_pid_that_was_given_away_again_is_a_new_process(script: Script) -> None:
    me = os.getpid()
    tree = ProcessTree(counters=script)
    script.set(101, me, own=3.0)
    tree.snapshot()
    script.set(me, 0, own=5.0, reaped=5.0)
    script.set(101, me, own=0.5, start=2.0)
    assert tree.snapshot().cpu_seconds == pytest.approx(3.5)
    script.set(me, 0, own=5.0, reaped=5.5)
    script.set(101, 7, own=90.0, start=3.0)  # somebody else's
    assert tree.snapshot().cpu_seconds == pytest.approx(3.5)
    assert tree.snapshot().pids == (me,)


def test_a_pid_that_nobody_has_reads_as_none() -> None:
    child = python("pass")
    child.wait()
    for counters in (system_counters(), PsutilCounters()):
        assert counters.read(child.pid) is None
        assert counters.children(child.pid, threads=2) == []
