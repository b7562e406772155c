"""What a run has left behind is stopped, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from optibench.measure.processes.reaper import stop_descendants
from optibench.measure.processes.tree import ProcessTree, descendants

SLEEP = "import time\nprint(1, flush=True)\ntime.sleep(60)"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEP}"
PARENT = (
    "import subprocess, sys, time\n"
    f"p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}], stdout=subprocess.PIPE)\n"
    "p.stdout.readline()\nprint(p.pid, flush=True)\ntime.sleep(60)"
)


def start(code: str) -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        return process, int(output.readline())


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_process_of_the_run_is_asked_to_end_and_its_owner_still_gets_its_status() -> None:
    known = descendants()
    process, _ = start(SLEEP)
    stop_descendants(known)
    assert process.wait(5) == -signal.SIGTERM


def test_one_that_does_not_heed_is_killed_after_the_grace() -> None:
    known = descendants()
    process, _ = start(STUBBORN)
    begin = time.monotonic()
    stop_descendants(known, grace_seconds=0.3)
    assert 0.3 <= time.monotonic() - begin < 2
    assert process.wait(5) == -signal.SIGKILL


def test_what_was_alive_before_the_run_is_spared() -> None:
    before, _ = start(SLEEP)
    known = descendants()
    process, _ = start(SLEEP)
    try:
        stop_descendants(known)
        assert process.wait(5) == -signal.SIGTERM
        assert before.poll() is None
    finally:
        before.kill()
        before.wait()


def test_children_of_a_stopped_process_are_stopped_with_it() -> None:
    known = descendants()
    process, grandchild = start(PARENT)
    stop_descendants(known)
    assert process.wait(5) == -signal.SIGTERM
    assert not is_running(grandchild)


@pytest.mark.skipif(sys.platform != "linux", reason="the tree is followed through /proc")
def test_an_orphan_that_was_seen_during_the_run_is_stopped_too() -> None:
    known = descendants()
    tree = ProcessTree()
    process, grandchild = start(PARENT)
    tree.snapshot()
    process.kill()
    process.wait()
    assert is_running(grandchild)
    stop_descendants(known, seen=tree.members())
    assert not is_running(grandchild)


def test_pythons_resource_tracker_is_left_to_end_with_this_process() -> None:
    code = (
        "from multiprocessing import resource_tracker\n"
        "from optibench.measure.processes.tree import descendants\n"
        "from optibench.measure.processes.reaper import stop_descendants\n"
        "resource_tracker.ensure_running()\n"
        "assert len(descendants()) == 1\n"
        "stop_descendants(set())\n"
        "print(len(descendants()))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert output.stdout.strip() == "1"
    assert output.stderr == ""


def test_with_nothing_left_it_returns_at_once() -> None:
    begin = time.monotonic()
    stop_descendants(descendants())
    assert time.monotonic() - begin < 0.5
