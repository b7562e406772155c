"""What is recorded about workers elsewhere, with workers that run in this process."""

import subprocess
import sys
import threading
import time

import pytest

from optibench.measure.clock.phases import Recorder
from optibench.measure.remote import monitors
from optibench.runner import worker_monitors
from optibench.runner.worker_monitors import WorkerMonitors

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the monitor detaches by fork")
# Its child is nobody's: it stands for a worker, and burns CPU until it is killed.
DETACHED = """
import subprocess, sys
spin = "import time\\nend = time.time() + 60\\nwhile time.time() < end: pass"
quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
started = subprocess.Popen([sys.executable, "-S", "-E", "-c", spin], **quiet)
print(started.pid)
"""


class Elsewhere:
    """An engine with one worker, which is the process of a pid."""

    root_name, unmeasured_processes, workers_outlive_run = "worker", "nobody", True
    before_batch = None

    def __init__(self, pid, ahead=0.0):
        self.clock_offsets = {monitors.socket.gethostname(): ahead} if ahead else {}
        self.worker_root = lambda: pid
        self.remote = self
        self.error = None
        self.asked = []

    def run_on_all_workers(self, function, *arguments):
        self.asked.append(function)
        if self.error is not None:
            raise self.error
        return [function(*arguments)]


@pytest.fixture
def pid():
    """Of a process that does not descend from this one."""
    import psutil

    recorded = subprocess.run([sys.executable, "-c", DETACHED], capture_output=True, check=True)
    process = psutil.Process(int(recorded.stdout))
    yield process.pid
    process.kill()


@pytest.fixture
def clock():
    with Recorder(time.perf_counter()) as recorder:
        yield recorder


def test_what_a_worker_used_is_in_the_metrics_of_the_phase_by_the_drivers_clock(pid, clock):
    engine = Elsewhere(pid)
    workers = WorkerMonitors(engine, clock)
    with workers:
        assert engine.before_batch is not None
        with clock.phase("search"):
            time.sleep(1.0)
        own = clock.metrics()["search_cpu_seconds"]
        with clock.phase("tracking"):
            workers.collect()
    assert engine.before_batch is None
    (series,) = clock.workers
    metrics = clock.metrics()
    used = metrics["search_cpu_seconds"] - own
    seen = series.points[-1].cpu_seconds
    assert 0.1 < used <= seen
    assert metrics["cpu_seconds"] >= used + own
    assert max(sample.processes for sample in clock.samples) >= 2
    (recorded,) = workers.notes
    assert "by a monitor of each worker (1 on " in recorded
    assert recorded.endswith("they do not include nobody")


def test_a_clock_that_is_ahead_is_corrected(pid, clock):
    workers = WorkerMonitors(Elsewhere(pid, ahead=500.0), clock)
    with workers:
        workers.collect()
    assert abs(clock.workers[0].points[0].time + 500.0 - time.time()) < 30


def test_workers_that_descend_from_this_process_are_not_counted_twice(clock):
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as own:
        engine = Elsewhere(own.pid)
        workers = WorkerMonitors(engine, clock)
        with workers:
            workers.collect()
        own.stdin.close()
    assert workers.notes == ["the workers descend from this process and are measured with it"]
    assert list(clock.workers) == []
    assert engine.asked == [monitors.begin, monitors.remove]


class Own:
    """An engine whose workers descend from the driver."""

    remote = None


def test_workers_of_the_drivers_own_need_no_watch(clock):
    workers = WorkerMonitors(Own(), clock)
    with workers:
        workers.collect()
    with pytest.raises(KeyboardInterrupt), WorkerMonitors(Own(), clock):
        raise KeyboardInterrupt
    assert workers.notes == []
    assert list(clock.workers) == []


def test_a_worker_without_a_monitor_is_reported_with_its_reason(clock):
    workers = WorkerMonitors(Elsewhere(2**30), clock)
    with workers:
        workers.collect()
    (recorded,) = workers.notes
    assert "no samples of the worker (unknown)" in recorded
    assert f"(process {2**30} cannot be read)" in recorded
    assert recorded.endswith(worker_monitors.INCOMPLETE)
    assert list(clock.workers) == []


def test_workers_that_cannot_be_asked_do_not_end_the_run(pid, clock):
    engine = Elsewhere(pid)
    workers = WorkerMonitors(engine, clock)
    with workers:
        engine.error = RuntimeError("the scheduler is gone")
        workers.collect()
    assert "no samples of remote workers were received (the scheduler is gone)" in workers.notes[0]
    monitors.remove(workers._token)


def test_a_run_that_fails_ends_its_watches_or_says_that_they_are_left(pid, clock, monkeypatch):
    engine = Elsewhere(pid)
    with pytest.raises(KeyboardInterrupt), WorkerMonitors(engine, clock) as workers:
        raise KeyboardInterrupt
    assert engine.asked == [monitors.begin, monitors.remove]
    assert workers.notes == []
    monkeypatch.setattr(worker_monitors, "STOP_SECONDS", 0.1)
    answer = threading.Event()
    workers = WorkerMonitors(engine, clock)
    workers.__enter__()
    engine.run_on_all_workers = lambda *_: answer.wait(5)
    workers.__exit__(KeyboardInterrupt, None, None)
    assert "the monitors of the workers could not be stopped (TimeoutError)" in workers.notes[0]
    monitors.remove(workers._token)
    answer.set()
