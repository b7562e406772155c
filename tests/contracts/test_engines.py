"""What every engine promises, whatever it is: one suite over all backends."""

import os
import time

import numpy as np
import psutil
import pytest

from optibench.config.registry import find
from optibench.errors import EngineError
from optibench.records import (
    Batch,
    BatchOutcome,
    Candidate,
    EngineRequest,
    Status,
    Trial,
    Unit,
    UnitOutcome,
)

WORKERS = 2


def describe(value, batch):
    """A worker task that tells about the process it runs in."""
    from threadpoolctl import threadpool_info

    facts = {
        "sum": float(value.sum()),
        "address": id(value),
        "threads": max((pool["num_threads"] for pool in threadpool_info()), default=1),
        "omp": float(os.environ.get("OMP_NUM_THREADS", "-1")),
    }
    time.sleep(0.3)
    trial = Trial(0, {}, 0, facts, 0.0, 0.0, 0.0, str(os.getpid()), 0.0, 0.0, Status.FINISHED)
    done = UnitOutcome(Unit((Candidate(0, {}),), 0), (trial,), 0.3)
    return BatchOutcome((done,), batch.units, None)


def crash(_value, _batch):
    """A worker task that kills its process, as the kernel does where memory runs out."""
    os.kill(os.getpid(), 9)


def fail(_value, _batch):
    """A worker task with a bug."""
    message = "a bug in the task"
    raise RuntimeError(message)


@pytest.fixture
def request_of(tmp_path):
    """What the engine is started with."""
    return EngineRequest(WORKERS, 1, ("sklearn.cluster", "threadpoolctl"), tmp_path)


@pytest.fixture
def plugin(backend):
    """The configured backend, not started."""
    return find("backend", backend)()


def test_batches_run_in_as_many_other_processes_as_there_are_slots(plugin, request_of):
    with plugin.open(request_of) as engine:
        shared = engine.share(np.arange(1000.0))
        futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(8)]
        trials = [future.result(60).trials[0] for future in futures]
    assert engine.slots == WORKERS
    assert {trial.scores["sum"] for trial in trials} == {499500.0}
    processes = {trial.worker for trial in trials}
    assert len(processes) == WORKERS
    assert str(os.getpid()) not in processes


def test_the_shared_value_arrives_once_per_worker(plugin, request_of):
    with plugin.open(request_of) as engine:
        shared = engine.share(np.ones(1000))
        futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(8)]
        trials = [future.result(60).trials[0] for future in futures]
    assert len({(trial.worker, trial.scores["address"]) for trial in trials}) == WORKERS


def test_a_worker_that_has_grown_by_a_large_table_stays(plugin, request_of):
    with plugin.open(request_of) as engine:
        shared = engine.share(np.ones(50_000_000))
        futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(14)]
        trials = [future.result(60).trials[0] for future in futures]
    assert len({trial.worker for trial in trials}) == WORKERS


def test_the_driver_sees_the_shared_value_and_maps_it_as_the_workers_do(plugin, request_of):
    with plugin.open(request_of) as engine:
        seen = engine.view(engine.share(np.arange(1000.0)))
        assert seen.sum() == 499500.0
    assert isinstance(seen, np.memmap)


def test_workers_keep_to_their_thread_budget(plugin, request_of):
    with plugin.open(request_of) as engine:
        outcome = engine.submit(describe, engine.share(np.ones(3)), Batch((), 1.0)).result(60)
    assert outcome.trials[0].scores["threads"] == 1
    assert outcome.trials[0].scores["omp"] == 1


def test_no_process_is_left_behind(plugin, request_of):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with plugin.open(request_of) as engine:
        engine.submit(describe, engine.share(np.ones(3)), Batch((), 1.0)).result(60)
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert [p for p in left if not is_tracker(p)] == []


def is_tracker(process):
    """Python's own resource tracker lives as long as the process that started it."""
    return "resource_tracker" in " ".join(process.cmdline())


def test_an_error_of_the_task_reaches_the_caller(plugin, request_of):
    with plugin.open(request_of) as engine:
        future = engine.submit(fail, engine.share(np.ones(3)), Batch((), 1.0))
        with pytest.raises(Exception, match="a bug in the task"):
            future.result(60)


def test_a_task_that_always_kills_its_worker_ends_as_our_error(plugin, request_of):
    def run():
        with plugin.open(request_of) as engine:
            engine.submit(crash, engine.share(np.ones(3)), Batch((), 1.0)).result(100)

    with pytest.raises(EngineError):
        run()


def test_an_engine_can_be_opened_twice_in_a_row(plugin, request_of):
    for _ in range(2):
        with plugin.open(request_of) as engine:
            assert engine.submit(describe, engine.share(np.ones(3)), Batch((), 1.0)).result(60)


def test_an_engine_tells_its_versions(plugin, request_of):
    with plugin.open(request_of) as engine:
        versions = engine.versions()
    assert versions
    assert all(version[0].isdigit() for version in versions.values())
