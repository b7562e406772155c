"""The monitor of a process, compared with what the kernel tells the parent of that process."""

import os
import subprocess
import sys
import time
from uuid import uuid4

import pytest

from optibench.measure.processes.tree import descendants
from optibench.measure.remote import monitors
from optibench.measure.remote.monitor import GONE, REPLACED, STOPPED
from optibench.measure.remote.series import Series

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the monitor detaches by fork")
MIB = 2**20
# It waits for a line, burns CPU itself and in a child that ends, holds memory, and waits again.
WORK = """
import subprocess, sys, time
SPIN = "import time\\nwhile time.process_time() < 0.4: pass"
sys.stdin.readline()
end = time.process_time() + 0.5
while time.process_time() < end: pass
subprocess.run([sys.executable, "-S", "-E", "-c", SPIN])
held = b"x" * (100 * 2**20)
time.sleep(1.2)
print("done", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def worker():
    """A process that stands for a worker; it ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", WORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


@pytest.fixture
def token():
    """Of a run; its monitor ends with the test."""
    token = uuid4().hex
    yield token
    monitors.remove(token)


def work(process):
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def only_series(collected):
    (text,) = collected.texts
    return Series.parse(text)


def test_cpu_and_memory_of_a_tree_are_those_of_the_kernel(worker, token):
    begun = monitors.begin(token, lambda: worker.pid)
    assert begun.reason == ""
    assert begun.root.pid == worker.pid
    work(worker)
    series = only_series(monitors.collect(token, lambda: worker.pid))
    worker.stdin.close()
    _, _, usage = os.wait4(worker.pid, 0)
    worker.returncode = 0
    assert series.end == STOPPED
    paid = usage.ru_utime + usage.ru_stime
    assert paid - 0.3 <= series.points[-1].cpu_seconds <= paid + 0.02  # 0.3: of its own start
    read = [point.pss_bytes for point in series.points if point.pss_bytes is not None]
    assert 100 * MIB <= max(read) <= 1.1 * usage.ru_maxrss * 1024
    assert max(point.processes for point in series.points) == 2
    gaps = [b.time - a.time for a, b in zip(series.points, series.points[1:], strict=False)]
    assert 0.1 < sorted(gaps)[len(gaps) // 2] < 0.5


def test_what_is_known_of_a_killed_worker_survives_it(worker, token):
    monitors.begin(token, lambda: worker.pid)
    work(worker)
    time.sleep(0.3)
    worker.kill()
    worker.wait()
    time.sleep(0.5)
    series = only_series(monitors.collect(token, os.getpid))
    assert series.end == GONE
    assert series.points[-1].cpu_seconds >= 0.9


def test_the_monitor_is_no_child_and_there_is_one_for_all_workers_of_a_root(worker, token):
    before = descendants()
    recorded = [monitors.begin(token, lambda: worker.pid) for _ in range(2)]
    assert recorded[0] == recorded[1]
    assert descendants() == before
    only_series(monitors.collect(token, lambda: worker.pid))
    assert monitors.collect(token, lambda: worker.pid).texts == ()


def test_the_monitor_of_a_newer_run_ends_an_older_one(worker, token):
    older = uuid4().hex
    monitors.begin(older, lambda: worker.pid)
    monitors.begin(token, lambda: worker.pid)
    time.sleep(0.3)
    assert only_series(monitors.collect(older, lambda: worker.pid)).end == REPLACED
    assert only_series(monitors.collect(token, lambda: worker.pid)).end == STOPPED


def test_a_monitor_ends_when_its_file_is_removed(worker, token):
    monitors.begin(token, lambda: worker.pid)
    assert processes_with(token)
    monitors.remove(token)
    end = time.monotonic() + 30
    while processes_with(token) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes_with(token)


def processes_with(word):
    import psutil

    running = psutil.process_iter(["cmdline"])
    return [p for p in running if word in " ".join(p.info["cmdline"] or ())]


def test_the_reason_for_a_missing_monitor_is_reported(token, monkeypatch, tmp_path):
    gone = subprocess.Popen([sys.executable, "-S", "-E", "-c", ""])
    gone.wait()
    assert monitors.begin(token, lambda: gone.pid).reason == f"process {gone.pid} cannot be read"
    (tmp_path / "optibench").mkdir()
    (tmp_path / "optibench" / "__init__.py").touch()  # another one, found first
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert "No module named 'optibench.measure'" in monitors.begin(token, os.getpid).reason
    monkeypatch.setattr(monitors.tempfile, "gettempdir", lambda: str(tmp_path / "missing"))
    assert "No such file" in monitors.begin(token, os.getpid).reason
