"""A process group is ended: asked first, killed when it takes too long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil

from optibench.termination import end_group

SLEEP = "import time\nprint(1, flush=True)\ntime.sleep(60)"
STUBBORN = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEP}"
LEADER = (
    "import subprocess, sys, time\n"
    "p = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=subprocess.PIPE)\n"
    "p.stdout.readline()\nprint(p.pid, flush=True)\ntime.sleep({seconds})"
)


def start(code: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a group and return its leader with the number that it prints when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        return process, int(output.readline())


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_group_is_asked_to_end_and_its_leader_is_reaped() -> None:
    leader, child = start(LEADER.format(code=SLEEP, seconds=60))
    begin = time.monotonic()
    end_group(leader, grace_seconds=30)
    assert time.monotonic() - begin < 10
    assert leader.returncode == -signal.SIGTERM
    assert not is_running(child)


def test_what_ignores_the_request_is_killed_after_the_grace_period() -> None:
    leader, _ = start(STUBBORN)
    begin = time.monotonic()
    end_group(leader, grace_seconds=0.3)
    assert time.monotonic() - begin >= 0.3
    assert leader.returncode == -signal.SIGKILL


def test_without_a_grace_period_a_group_is_killed_at_once() -> None:
    leader, child = start(LEADER.format(code=STUBBORN, seconds=60))
    end_group(leader)
    assert leader.returncode == -signal.SIGKILL
    assert not is_running(child)


def test_what_outlives_its_leader_is_ended() -> None:
    leader, child = start(LEADER.format(code=STUBBORN, seconds=0))
    assert leader.wait(30) == 0
    assert is_running(child)
    end_group(leader)
    assert not is_running(child)


def test_a_group_that_has_ended_takes_no_time() -> None:
    leader, _ = start("print(1)")
    leader.wait(30)
    begin = time.monotonic()
    end_group(leader, grace_seconds=30)
    assert time.monotonic() - begin < 1
