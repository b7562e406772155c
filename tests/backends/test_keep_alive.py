"""`backend.keep_alive`: an engine that serves several runs of one program."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cached_property

import numpy as np
import psutil
import pytest

import optibench
from optibench.backends.common.logs import EngineLogs
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import DataError
from optibench.records import Batch, BatchOutcome
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

SMALL = [
    "model=kmeans",
    "dataset=iris",
    "model.space.n_clusters=[2,3]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "progress=false",
]
KEEP = "backend.keep_alive=true"
BACKENDS = [
    pytest.param("sklearn", marks=pytest.mark.slow),
    pytest.param("dask", marks=pytest.mark.dask),
    pytest.param("spark", marks=pytest.mark.spark),
]
SCRIPT = """
import sys

from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

if __name__ == "__main__":
    words = sys.argv[1:]
    last = words.pop()
    config = resolve(compose([*words, "backend.keep_alive=true"]))
    benchmark.run(config, tracker=MemoryTracker())
    print("KEPT", flush=True)
    if last == "interrupted":
        raise KeyboardInterrupt
"""


def run(*words, tracker=None):
    """One small benchmark: its result and its tracker."""
    tracker = tracker or MemoryTracker()
    return benchmark.run(resolve(compose([*SMALL, *words])), tracker=tracker), tracker


def pids(result):
    """The processes that ran the trials."""
    return {int(trial.worker.rpartition(":")[2]) for trial in result.trials}


def scores(result):
    return [trial.scores for trial in result.trials]


def alive(numbers):
    return {pid for pid in numbers if is_alive(pid)}


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


XGBOOST = [
    "model=xgboost",
    "dataset=iris",
    "model.space.max_depth=[2,3]",
    "model.params.n_estimators=20",
    "model.params.eta=0.3",
    "progress=false",
]


@pytest.fixture(scope="module")
def fresh():
    """Scores from engines of their own; they are the same on every backend."""
    runs = {"kmeans": SMALL, "xgboost": XGBOOST}
    return {
        model: scores(benchmark.run(resolve(compose(words)), tracker=MemoryTracker()))
        for model, words in runs.items()
    }


class Refusing:
    """A dataset that cannot be loaded."""

    name, scale = "iris", False

    def load(self, _seed):
        message = "wrong data"
        raise DataError(message)


class Life:
    """What one kept engine does from its start to its end.

    Each step is taken once, when a test asks for it or for a later one, and gives what a run has
    left: its result and its tracker.
    """

    def __init__(self, backend, folder):
        """Keep what the engine shares in a folder."""
        self.words = (f"backend={backend}", KEEP)
        self.folder = folder

    @cached_property
    def first(self):
        """The run that starts the engine, and the files that it has left."""
        optibench.release_engine()
        done = run(*self.words)
        return *done, self.files(), set(mapped_files())

    @cached_property
    def second(self):
        """The same run once more, and which workers live after it."""
        result, *_ = self.first
        done = run(*self.words)
        return *done, alive(pids(result) | pids(done[0]))

    @cached_property
    def other_model(self):
        """A run of another model."""
        assert self.second
        tracker = MemoryTracker()
        words = [*XGBOOST, *self.words]
        return benchmark.run(resolve(compose(words)), tracker=tracker), tracker

    @cached_property
    def after_wrong_data(self):
        """The first run again, after one whose data are refused."""
        assert self.other_model
        wrong = replace(resolve(compose([*SMALL, *self.words])), dataset=Refusing())
        with pytest.raises(DataError):
            benchmark.run(wrong, tracker=MemoryTracker())
        return run(*self.words)

    @cached_property
    def end(self):
        """The workers and files that are left when the engine is closed."""
        assert self.after_wrong_data
        optibench.release_engine()
        workers = pids(self.first[0]) | pids(self.second[0]) | pids(self.after_wrong_data[0])
        return alive(workers), self.files()

    def files(self):
        """The paths of what lies in the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


def mapped_files():
    """The files that the processes of this one have in their memory."""
    for child in psutil.Process().children(recursive=True):
        yield from (row.path for row in maps_of(child))


def maps_of(process):
    """The files that a process has in its memory."""
    try:
        return process.memory_maps()
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module", params=BACKENDS)
def life(request, tmp_path_factory):
    """One engine of each backend, with a folder for its temporary files."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield Life(request.param, folder)
        optibench.release_engine()


def test_the_next_run_has_the_same_workers_and_gets_the_same_scores(life, fresh):
    first, tracker, *_ = life.first
    assert tracker.params["engine_warm"] is False
    second, tracker, living = life.second
    assert tracker.params["engine_warm"] is True
    assert scores(first) == scores(second) == fresh["kmeans"]
    assert pids(first) | pids(second) == living
    assert len(living) <= 2
    assert second.metrics["startup_seconds"] < first.metrics["startup_seconds"]


def test_another_model_finds_its_modules_on_the_kept_engine(life, fresh):
    result, tracker = life.other_model
    assert scores(result) == fresh["xgboost"]
    assert tracker.params["engine_warm"] is True


def test_wrong_data_do_not_cost_a_warm_engine(life):
    second, tracker = life.after_wrong_data
    assert tracker.params["engine_warm"] is True
    assert scores(second) == scores(life.first[0])


def test_what_was_shared_is_removed_at_the_end_of_the_run(life):
    *_, files, mapped = life.first
    assert any(name.startswith("optibench-shared-") for name in files)
    assert not [name for name in files if name.endswith(".joblib")]
    assert not [name for name in files if name.startswith("optibench-run-")]
    assert not [path for path in mapped if "optibench-shared-" in path]


def test_the_end_of_the_engine_leaves_no_worker_and_no_file(life):
    workers, files = life.end
    assert workers == set()
    assert not [name for name in files if name.startswith("optibench-")]


@pytest.mark.slow
@pytest.mark.parametrize("other", ["backend.workers=1", "backend.keep_alive=false"])
def test_a_run_with_other_settings_closes_the_kept_engine(other):
    first, _ = run("backend.workers=2", KEEP)
    assert alive(pids(first)) == pids(first)
    second, tracker = run("backend.workers=2", KEEP, other)
    assert tracker.params["engine_warm"] is False
    assert alive(pids(first)) == set()
    assert not pids(first) & pids(second)


@pytest.mark.slow
def test_an_engine_that_an_error_has_passed_through_is_not_kept(monkeypatch):
    from optibench.report.progress import Progress

    first, _ = run(KEEP)
    with monkeypatch.context() as patched:

        def fail(*_):
            raise RuntimeError

        patched.setattr(Progress, "advance", fail)
        with pytest.raises(RuntimeError):
            run(KEEP)
    assert alive(pids(first)) == set()
    second, tracker = run(KEEP)
    assert tracker.params["engine_warm"] is False
    assert scores(second) == scores(first)


@pytest.mark.parametrize("backend", [BACKENDS[0], BACKENDS[2]])
def test_an_engine_that_broke_while_it_was_idle_is_replaced(backend):
    first, _ = run(f"backend={backend}", KEEP)
    victims = pids(first) if backend == "sklearn" else {jvm().pid}
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    second, tracker = run(f"backend={backend}", KEEP)
    assert tracker.params["engine_warm"] is False
    assert scores(second) == scores(first)


@pytest.mark.spark
def test_a_python_worker_that_spark_began_anew_is_warm_before_the_search(monkeypatch):
    """Spark ends one that was idle for a minute."""
    first, _ = run("backend=spark", KEEP)
    for pid in pids(first):
        os.kill(pid, signal.SIGKILL)
    began, real = [], benchmark.rehearse

    def watched(engine):
        began.extend(imported_by(engine))
        real(engine)

    monkeypatch.setattr(benchmark, "rehearse", watched)
    second, tracker = run("backend=spark", KEEP)
    assert tracker.params["engine_warm"] is True
    assert began == [True, True]
    assert not pids(first) & pids(second)
    assert scores(second) == scores(first)


def imported_by(engine):
    """For each of two tasks: whether its worker has scikit-learn's clustering."""
    shared = engine.share(np.zeros(1))
    tasks = [engine.submit(tell_modules, shared, Batch((), 0.0)) for _ in range(engine.slots)]
    return [b"sklearn.cluster" in task.result(60).profile for task in tasks]


def tell_modules(_value, batch):
    time.sleep(0.5)  # so that each worker gets one
    return BatchOutcome((), batch.units, " ".join(sys.modules).encode())


def jvm():
    """The Java process of this one."""
    return next(p for p in psutil.Process().children() if "java" in p.name())


@pytest.mark.parametrize(
    ("backend", "last"),
    [
        pytest.param("sklearn", "ends", marks=pytest.mark.slow),
        pytest.param("sklearn", "interrupted", marks=pytest.mark.slow),
        pytest.param("dask", "interrupted", marks=pytest.mark.dask),
        pytest.param("spark", "ends", marks=pytest.mark.spark),
    ],
)
def test_a_script_that_ends_leaves_no_process(backend, last, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    quick = ["search=none", "evaluation.default_fit=false", "backend.workers=1"]
    words = [*SMALL, *quick, f"backend={backend}", last]
    process = subprocess.Popen(
        [sys.executable, "script.py", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "KEPT\n"
    session = members(process.pid)
    _, stderr = process.communicate(timeout=200)
    assert (process.returncode == 0) is (last != "interrupted"), stderr
    assert "KeyboardInterrupt" in stderr or stderr == ""
    deadline = time.monotonic() + 30
    while alive(session | members(process.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def members(session):
    """The processes of a session: also those that have lost their parents."""
    found = set()
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                found.add(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def test_each_run_gets_the_log_lines_of_its_own_time(tmp_path):
    logs = EngineLogs()
    (logs.folder / "worker-1.log").write_text("first\n")
    (tmp_path / "a").mkdir()
    logs.copy_new(tmp_path / "a")
    with (logs.folder / "worker-1.log").open("a") as log:
        log.write("idle\n")
    logs.skip()
    with (logs.folder / "worker-1.log").open("a") as log:
        log.write("second\n")
    (tmp_path / "b").mkdir()
    logs.copy_new(tmp_path / "b")
    logs.copy_new(tmp_path / "b")
    assert (tmp_path / "a" / "worker-1.log").read_text() == "first\n"
    assert (tmp_path / "b" / "worker-1.log").read_text() == "second\n"
    logs.remove()
    assert not logs.folder.exists()
