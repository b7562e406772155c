"""What every engine does once it is open, one engine of each backend for all of these."""

import os
import time

import numpy as np
import pytest

from optibench.config.registry import find
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


def fail(_value, _batch):
    """A worker task with a bug."""
    message = "a bug in the task"
    raise RuntimeError(message)


@pytest.fixture(scope="module")
def engine(backend, tmp_path_factory):
    """The engine of a backend, up."""
    modules = ("sklearn.cluster", "threadpoolctl")
    request = EngineRequest(WORKERS, 1, modules, tmp_path_factory.mktemp("logs"), 2**33)
    with find("backend", backend)().open(request) as opened:
        yield opened


def test_batches_run_in_as_many_other_processes_as_there_are_slots(engine):
    shared = engine.share(np.arange(1000.0))
    futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(8)]
    trials = [future.result(60).trials[0] for future in futures]
    assert engine.slots == WORKERS
    assert {trial.scores["sum"] for trial in trials} == {499500.0}
    processes = {trial.worker for trial in trials}
    assert len(processes) == WORKERS
    assert str(os.getpid()) not in processes


def test_the_shared_value_arrives_once_per_worker(engine):
    shared = engine.share(np.ones(1000))
    futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(8)]
    trials = [future.result(60).trials[0] for future in futures]
    assert len({(trial.worker, trial.scores["address"]) for trial in trials}) == WORKERS


def test_a_worker_that_has_grown_by_a_large_table_stays(engine):
    shared = engine.share(np.ones(50_000_000))
    futures = [engine.submit(describe, shared, Batch((), 1.0)) for _ in range(14)]
    trials = [future.result(60).trials[0] for future in futures]
    assert len({trial.worker for trial in trials}) == WORKERS


def test_the_driver_sees_the_shared_value_and_maps_it_as_the_workers_do(engine):
    seen = engine.share(np.arange(1000.0)).view()
    assert seen.sum() == 499500.0
    assert isinstance(seen, np.memmap)


def test_workers_keep_to_their_thread_budget(engine):
    outcome = engine.submit(describe, engine.share(np.ones(3)), Batch((), 1.0)).result(60)
    assert outcome.trials[0].scores["threads"] == 1
    assert outcome.trials[0].scores["omp"] == 1


def test_an_error_of_the_task_reaches_the_caller(engine):
    future = engine.submit(fail, engine.share(np.ones(3)), Batch((), 1.0))
    with pytest.raises(Exception, match="a bug in the task"):
        future.result(60)


def test_an_engine_tells_its_versions(engine):
    versions = engine.versions()
    assert versions
    assert all(version[0].isdigit() for version in versions.values())
