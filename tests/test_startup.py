"""The engine starts while the table loads; wrong data and Ctrl-C leave nothing of it behind."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import psutil
import pytest

from optibench.backends.sklearn.backend import SklearnBackend
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import DataError, EngineError
from optibench.records import Status
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

PATIENCE_SECONDS = 120
SMALL = [
    "model=kmeans",
    "dataset=iris",
    "model.space.n_clusters=[2]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "backend.workers=1",
    "progress=false",
]
BACKENDS = [
    pytest.param("sklearn", marks=pytest.mark.slow),
    pytest.param("dask", marks=pytest.mark.dask),
    pytest.param("spark", marks=pytest.mark.spark),
]


@dataclass(frozen=True)
class Table:
    """A dataset that does something before, or instead of, loading another one."""

    source: Any
    act: Any
    name: str = "iris"
    scale: bool | str = False

    def load(self, seed):
        self.act()
        return self.source.load(seed)


@dataclass(frozen=True)
class ObservedBackend(SklearnBackend):
    """A backend that signals when its start begins and when its engine is closed."""

    begun: Any = None
    closed: Any = None

    @contextmanager
    def open(self, request):
        self.begun.set()
        with super().open(request) as engine:
            yield engine
        self.closed.set()


@dataclass(frozen=True)
class Broken(SklearnBackend):
    """A backend that cannot be started."""

    def open(self, request):
        message = f"no engine for {request.workers} workers"
        raise EngineError(message)


def configured(act, *words):
    """A small benchmark whose dataset calls `act` first."""
    config = resolve(compose([*SMALL, *words]))
    return replace(config, dataset=Table(config.dataset, act))


def children():
    """What this process has started, but for Python's own resource tracker."""
    found = psutil.Process().children(recursive=True)
    return {process.pid for process in found if "resource_tracker" not in command_of(process)}


def command_of(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "resource_tracker"  # it has just ended


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refuse():
    message = "wrong data"
    raise DataError(message)


@pytest.mark.slow
def test_the_engine_starts_while_the_table_loads():
    begun, closed = Event(), Event()
    config = configured(lambda: wait_for(begun.is_set))
    config = replace(config, backend=ObservedBackend(begun=begun, closed=closed))
    result = benchmark.run(config, tracker=MemoryTracker())
    assert result.status is Status.FINISHED
    assert closed.is_set()


@pytest.fixture
def up(monkeypatch):
    """An event that is set once an engine is up and rehearsed."""
    up, rehearse = Event(), benchmark.rehearse

    def rehearse_and_tell(engine):
        rehearse(engine)
        up.set()

    monkeypatch.setattr(benchmark, "rehearse", rehearse_and_tell)
    return up


@pytest.mark.parametrize("moment", ["at once", "with the first process", "later"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_data_error_leaves_no_process_and_no_run(backend, moment, up):
    before, tracker = children(), MemoryTracker()

    def act():
        if moment != "at once":
            wait_for(lambda: children() - before)
        if moment == "later":
            wait_for(up.is_set)
        refuse()

    with pytest.raises(DataError, match="wrong data"):
        benchmark.run(configured(act, f"backend={backend}"), tracker=tracker)
    assert tracker.calls == []
    assert children() - before == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_engine_can_be_started_after_a_start_that_was_given_up(backend):
    before = children()

    def act():
        wait_for(lambda: children() - before)
        refuse()

    with pytest.raises(DataError):
        benchmark.run(configured(act, f"backend={backend}"), tracker=MemoryTracker())
    result = benchmark.run(configured(lambda: None, f"backend={backend}"), tracker=MemoryTracker())
    assert result.status is Status.FINISHED
    assert children() - before == set()


@pytest.mark.slow
def test_ctrl_c_while_the_engine_starts_leaves_no_process_and_no_run():
    before, tracker = children(), MemoryTracker()

    def act():
        wait_for(lambda: children() - before)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark.run(configured(act), tracker=tracker)
    assert tracker.calls == []
    assert children() - before == set()


def test_an_engine_that_does_not_start_makes_the_run_fail():
    tracker = MemoryTracker()
    config = replace(configured(lambda: None), backend=Broken())
    with pytest.raises(EngineError, match="no engine"):
        benchmark.run(config, tracker=tracker)
    assert tracker.status is Status.FAILED
    assert "no engine" in tracker.reason


def test_a_data_error_is_reported_before_an_engine_that_does_not_start():
    tracker = MemoryTracker()
    config = replace(configured(refuse), backend=Broken())
    with pytest.raises(DataError):
        benchmark.run(config, tracker=tracker)
    assert tracker.calls == []


@pytest.mark.slow
def test_the_phases_still_add_up_to_the_wall_time():
    config = configured(lambda: time.sleep(1))
    metrics = benchmark.run(config, tracker=MemoryTracker()).metrics
    phases = ("startup", "load", "split", "search", "fit", "score", "tracking")
    total = sum(metrics[f"{phase}_seconds"] for phase in phases)
    assert total == pytest.approx(metrics["wall_seconds"], rel=0.02)
    assert metrics["load_seconds"] > 1
