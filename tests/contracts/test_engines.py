"""How every engine begins and ends, whatever it is: one suite over all backends."""

import os

import numpy as np
import psutil
import pytest

from optibench.config.registry import find
from optibench.errors import EngineError
from optibench.records import Batch, BatchOutcome, EngineRequest


def do_nothing(_value, batch):
    """A worker task without units."""
    return BatchOutcome((), batch.units, None)


def crash(_value, _batch):
    """A worker task that kills its process, as the kernel does where memory runs out."""
    os.kill(os.getpid(), 9)


@pytest.fixture
def request_of(tmp_path):
    """What the engine is started with."""
    return EngineRequest(2, 1, ("sklearn.cluster", "threadpoolctl"), tmp_path, 2**33)


@pytest.fixture
def plugin(backend):
    """The configured backend, not started."""
    return find("backend", backend)()


def test_no_process_is_left_behind(plugin, request_of):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with plugin.open(request_of) as engine:
        engine.submit(do_nothing, engine.share(np.ones(3)), Batch((), 1.0)).result(60)
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert [p for p in left if not is_tracker(p)] == []


def is_tracker(process):
    """Python's own resource tracker lives as long as the process that started it."""
    return "resource_tracker" in " ".join(process.cmdline())


def test_a_task_that_always_kills_its_worker_ends_as_our_error(plugin, request_of):
    def run():
        with plugin.open(request_of) as engine:
            engine.submit(crash, engine.share(np.ones(3)), Batch((), 1.0)).result(100)

    with pytest.raises(EngineError):
        run()


def test_an_engine_can_be_opened_twice_in_a_row(plugin, request_of):
    for _ in range(2):
        with plugin.open(request_of) as engine:
            assert engine.submit(do_nothing, engine.share(np.ones(3)), Batch((), 1.0)).result(60)
