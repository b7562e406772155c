"""The conformance suites of backends whose workers are processes of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import psutil
import pytest

from optibench.errors import EngineError
from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import EngineRequest, Task
from optibench.testing import worker_tasks
from optibench.testing.plugins import check_plugin
from optibench.testing.reference import expected_scores
from optibench.testing.runs import Plugins, configured, run
from optibench.testing.worker_tasks import SharedRows, batch_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from optibench.contracts import Backend, Engine, SharedValue, WorkerTask
    from optibench.records import Batch, BatchOutcome, Trial

    BatchTask = WorkerTask[SharedRows, Batch, BatchOutcome]

WORKERS = 2
PATIENCE_SECONDS = 60
LARGE = 45_000_000  # values: 360 MB, more than what loky takes for a leak
MODULES = ("sklearn.linear_model", "threadpoolctl", "optibench.testing.worker_tasks")


class BackendSuite:
    """How an engine starts and ends. Derive from it and override the fixture `backend`.

    Attributes:
        overrides: needed to configure the backend from the command line.
    """

    overrides: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def backend(self) -> Backend:
        """Return the backend as configured, for two workers of one thread."""
        msg = f"{type(self).__name__} overrides the fixture `backend`"
        raise NotImplementedError(msg)

    def test_it_is_found_by_its_name(self, backend: Backend) -> None:
        """It is a frozen dataclass that can say before the start what is wrong."""
        check_plugin("backend", backend, self.overrides)
        backend.check(WORKERS)

    def test_trials_have_the_scores_of_plain_fits_and_no_process_is_left_behind(
        self, backend: Backend
    ) -> None:
        """To the last bit: an engine changes no score."""
        before = descendants()
        config = configured(Plugins(backend=backend), Task.CLASSIFICATION, ["search=grid"])
        result, _ = run(config)
        found = {(t.candidate, t.fold): dict(t.scores) for t in result.trials}
        assert found == expected_scores(config, [c.params for c in result.candidates])
        assert descendants() - before == set()

    def test_a_lost_worker_costs_a_unit_and_one_that_is_always_lost_the_engine(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        """The unit is run again and counted; in the end there is an error and no process."""
        before = descendants()

        def open_and_kill() -> None:
            with backend.open(request_in(tmp_path)) as engine:
                shared = engine.share(SharedRows(np.ones(3), str(tmp_path)))
                assert one(engine, worker_tasks.die_once, shared).scores["sum"] == 3
                assert engine.units_run_again == 1
                one(engine, worker_tasks.die, shared)

        with pytest.raises(EngineError):
            open_and_kill()
        assert descendants() - before == set()


class OpenEngineSuite:
    """What an engine does once it is open. Derive from it and override the fixture `backend`.

    All tests of the class share one engine.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls) -> Backend:
        """Return the backend as configured, for two workers of one thread."""
        msg = f"{cls.__name__} overrides the fixture `backend`"
        raise NotImplementedError(msg)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(
        cls, backend: Backend, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Engine]:
        """Start the engine that the tests of an open engine share."""
        with backend.open(request_in(tmp_path_factory.mktemp("logs"), MODULES)) as opened:
            yield opened

    def test_batches_run_in_as_many_other_processes_as_there_are_slots(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        """And at the same time: each waits until the other has begun."""
        assert engine.slots == WORKERS
        trials = together(engine, engine.share(SharedRows(np.arange(1000.0), str(tmp_path))))
        assert {trial.scores["sum"] for trial in trials} == {499500.0}
        processes = {trial.worker for trial in trials}
        assert len(processes) == WORKERS
        assert str(os.getpid()) not in processes

    def test_the_shared_value_arrives_once_per_worker(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        """Every batch of a worker has the same object."""
        trials = together(engine, engine.share(SharedRows(np.ones(1000), str(tmp_path))))
        places = {(trial.worker, trial.scores["address"]) for trial in trials}
        assert len(places) == WORKERS

    def test_a_worker_that_has_grown_by_a_large_table_stays(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        """It is not taken for one that leaks memory."""
        shared = engine.share(SharedRows(np.ones(LARGE), str(tmp_path)))
        trials = together(engine, shared, worker_tasks.describe_later)
        assert len({trial.worker for trial in trials}) == WORKERS

    def test_the_driver_sees_the_shared_value_and_maps_it_as_workers_do(
        self, engine: Engine
    ) -> None:
        """A table is in the memory of this machine once."""
        seen = engine.share(SharedRows(np.arange(1000.0))).view()
        assert seen.rows.sum() == 499500.0
        assert isinstance(seen.rows, np.memmap)

    def test_workers_keep_to_their_thread_budget(self, engine: Engine) -> None:
        """By their environment, and by what native libraries say."""
        shared = engine.share(SharedRows(np.ones(3)))
        scores = one(engine, worker_tasks.describe, shared).scores
        assert scores["threads"] == 1
        assert scores["OMP_NUM_THREADS"] == 1

    def test_an_error_of_the_task_reaches_the_caller(self, engine: Engine) -> None:
        """With its message; the engine goes on."""
        shared = engine.share(SharedRows(np.ones(3)))
        with pytest.raises(Exception, match="a bug in the task"):
            one(engine, worker_tasks.fail, shared)
        assert one(engine, worker_tasks.describe, shared).scores["sum"] == 3

    def test_it_says_the_versions_of_its_libraries(self, engine: Engine) -> None:
        """They are written with each run."""
        versions = engine.versions()
        assert versions
        assert all(version[0].isdigit() for version in versions.values())

    def test_nothing_was_run_again(self, engine: Engine) -> None:
        """Workers that are not lost cost nothing."""
        before = engine.units_run_again
        one(engine, worker_tasks.describe, engine.share(SharedRows(np.ones(3))))
        assert engine.units_run_again == before


def request_in(logs: Path, modules: tuple[str, ...] = ()) -> EngineRequest:
    """Ask for an engine with two workers of one thread that import `modules` first."""
    return EngineRequest(WORKERS, 1, modules, logs, available_memory_bytes())


def one(engine: Engine, task: BatchTask, shared: SharedValue[SharedRows]) -> Trial:
    """Run one batch and return its trial."""
    trial: Trial = engine.submit(task, shared, batch_of()).result(PATIENCE_SECONDS).trials[0]
    return trial


def together(
    engine: Engine,
    shared: SharedValue[SharedRows],
    task: BatchTask = worker_tasks.describe_together,
) -> list[Trial]:
    """Run three rounds of batches, as many in each as there are workers."""
    trials: list[Trial] = []
    for number in range(3):
        futures = [engine.submit(task, shared, batch_of(number)) for _ in range(WORKERS)]
        trials += [future.result(PATIENCE_SECONDS).trials[0] for future in futures]
    return trials


def descendants() -> set[int]:
    """Return what this process has started, but for Python's own resource tracker."""
    found = psutil.Process().children(recursive=True)
    return {process.pid for process in found if not is_tracker(process)}


def is_tracker(process: psutil.Process) -> bool:
    """Return True for the resource tracker, and for a process that has just ended."""
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:
        return True
