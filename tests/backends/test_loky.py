"""What the sklearn backend relies on in the loky that joblib brings."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager

import pytest

from optibench.backends.sklearn import loky
from optibench.backends.sklearn.loky import BrokenProcessPool, allow_growth, start_executor

pytestmark = pytest.mark.slow
CHECK_SECONDS = 1.0  # loky looks at a worker's memory once a second
_grown = []


@contextmanager
def executor(workers=1, initializer=int, environment=None):
    pool = start_executor(workers, initializer, (), environment or {})
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def grow(n_bytes):
    _grown.append(b"x" * n_bytes)
    return os.getpid()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_grows_is_replaced_unless_growth_is_allowed():
    with executor() as plain, executor(initializer=allow_growth) as allowed:
        pools = plain, allowed
        before = [pool.submit(os.getpid).result(60) for pool in pools]  # and takes its size
        time.sleep(1.1 * CHECK_SECONDS)
        assert [pool.submit(grow, 400_000_000).result(60) for pool in pools] == before
        after = [pool.submit(os.getpid).result(60) for pool in pools]
    assert after[0] != before[0], "loky no longer replaces workers that grow: drop allow_growth()"
    assert after[1] == before[1], "loky no longer reads process_executor._MAX_MEMORY_LEAK_SIZE"


def test_workers_get_the_environment_and_run_the_initialiser_first():
    with executor(initializer=set_mark, environment={"OPTIBENCH_TEST": "given"}) as pool:
        assert pool.submit(os.getenv, "OPTIBENCH_TEST").result(60) == "given"
        assert pool.submit(os.getenv, "OPTIBENCH_MARK").result(60) == "set"


def set_mark():
    os.environ["OPTIBENCH_MARK"] = "set"


def test_a_lost_worker_fails_all_calls_and_the_pool_takes_no_more():
    with executor() as pool:
        lost, queued = pool.submit(die), pool.submit(os.getpid)
        for call in (lost, queued):
            with pytest.raises(BrokenProcessPool):
                call.result(60)
        with pytest.raises(BrokenProcessPool):
            pool.submit(os.getpid)


def test_calls_are_started_in_the_order_in_which_they_were_submitted():
    with executor() as pool:
        calls = [pool.submit(time.monotonic) for _ in range(20)]
        started = [call.result(60) for call in calls]
    assert started == sorted(started)


def test_shutdown_ends_a_worker_that_is_busy():
    with executor() as pool:
        process = pool.submit(os.getpid).result(60)
        busy = pool.submit(time.sleep, 600)
        while not busy.running():
            time.sleep(0.01)
        pool.shutdown(wait=True, kill_workers=True)
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_its_version_is_known():
    assert loky.version().split(".")[0].isdigit()
