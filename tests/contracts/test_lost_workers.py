"""A worker that is killed in the middle of a search costs time, and changes nothing."""

import os
import signal
import sys
from importlib import import_module

import dask
import pandas as pd
import pytest
from tests.engines import SharedEngine, run

from optibench.config.registry import find
from optibench.errors import EngineError
from optibench.records import EngineRequest, Status
from optibench.tracking.memory import MemoryTracker

pytestmark = pytest.mark.slow
# The tests of one backend share an engine, which has lost workers before. Those that end it for
# good come last.
TRIALS = pytest.mark.shared_engine(kills=True)
ON_ALL_WORKERS = pytest.mark.shared_engine(kills=True, parallelism="data")
# What dies is the worker, by SIGKILL, in the middle of its work: nobody's clock is needed.
FRAGILE = """
import os
from pathlib import Path

import psutil
from sklearn.tree import DecisionTreeClassifier

from optibench.backends.spark import xgboost as on_spark
from optibench.models.kmeans_distributed import DistributedKMeans
from optibench.models.xgboost_distributed import DistributedXGBoost

MARK = Path(__file__).with_name("killed")


def die_once():
    try:
        os.close(os.open(MARK, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), 9)


def end_jvm():
    os.kill(next(p.pid for p in psutil.Process().parents() if p.name() == "java"), 9)


meet = on_spark.rendezvous


def meet_or_not(workers, host):
    if MARK.with_name("apart").exists():
        raise OSError("nobody can meet here")
    return meet(workers, host)


on_spark.rendezvous = meet_or_not


def look(question, blocks):
    os.kill(os.getpid(), 9)


class Tree(DecisionTreeClassifier):
    def fit(self, X, y):
        if self.max_depth == 3:
            die_once()
        if self.max_depth == 99:
            os.kill(os.getpid(), 9)
        if self.max_depth == 100:
            end_jvm()
        return super().fit(X, y)


class Boost(DistributedXGBoost):
    def _path(self, own, matrix, members, cost):
        if members[0][1]["max_depth"] == 3 and not own.first:
            die_once()
        yield from super()._path(own, matrix, members, cost)


class LastStarts(DistributedKMeans):
    @staticmethod
    def predict_chunk(chunk, estimator, limit):
        end_jvm()


class Starts(DistributedKMeans):
    @staticmethod
    def predict_chunk(chunk, estimator, limit):
        die_once()
        return DistributedKMeans.predict_chunk(chunk, estimator, limit)
"""
QUIET = ["profiling=off", "progress=false", "backend.workers=2"]
TREES = ["model=estimator", "model.estimator=fragile.Tree", "evaluation.folds=3"]
WHOLE = ["evaluation.folds=2", "evaluation.default_fit=false"]
DATA = {
    "xgboost": ["model=xgboost", "model.params.n_estimators=10", "model.space.max_depth=[2,3]"],
    "kmeans": ["model=kmeans", "dataset=iris", "model.space.n_clusters=[2,3]"],
}
DATA["xgboost"] += ["model.space.eta=[0.3]", "model.space.subsample=[0.7]"]
DATA["kmeans"] += [
    "model.space.n_init=[1]",
    "model.space.max_iter=[3]",
    "model.space.init=[random]",
]


@pytest.fixture(scope="session")
def fragile_folder(tmp_path_factory):
    """Where drivers and workers find the module `fragile`."""
    folder = tmp_path_factory.mktemp("fragile")
    (folder / "fragile.py").write_text(FRAGILE)
    sys.path.insert(0, str(folder))
    yield folder
    if "fragile" in sys.modules:
        fragile = sys.modules.pop("fragile")
        fragile.on_spark.rendezvous = fragile.meet
    sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def mark(fragile_folder):
    """Once it is there, no worker dies any more."""
    return fragile_folder / "killed"


def assert_same(result, plain):
    assert [t.scores for t in result.trials] == [t.scores for t in plain.trials]
    assert {t.status for t in result.trials} == {Status.FINISHED}
    assert result.best_params == plain.best_params
    quality = [name for name in plain.metrics if f"train_{name}" in plain.metrics]
    assert quality
    assert all(result.metrics[name] == plain.metrics[name] for name in quality)
    assert plain.metrics["units_run_again"] == 0


SPACE = "model.space.max_depth=[2,3,4,5]"


@pytest.fixture(scope="session")
def plain(fragile_folder):
    """What a search of trials finds where no worker dies, the same on every backend."""
    (fragile_folder / "killed").touch()
    result, tracker = SharedEngine().run(*TREES, SPACE)
    assert "run again" not in tracker.params.get("measurement_notes", "")
    return result


@TRIALS
@pytest.mark.usefixtures("backend")
def test_trials_of_a_lost_worker_are_run_again(shared, plain, mark):
    mark.unlink()
    result, tracker = shared.run(*TREES, SPACE)
    assert mark.exists()
    assert_same(result, plain)
    again = result.metrics["units_run_again"]
    assert 1 <= again <= len(result.trials)
    assert f"{again:.0f} units were run again" in tracker.params["measurement_notes"]


@ON_ALL_WORKERS
@pytest.mark.usefixtures("training_backend")
@pytest.mark.parametrize("model", DATA)
def test_fits_of_all_workers_are_the_same_after_one_was_lost(shared, model, mark, monkeypatch):
    fragile = import_module("fragile")
    mark.touch()
    plain, _ = shared.run(*WHOLE, *DATA[model])
    plugin = find("model", model)
    whole = (
        fragile.Starts() if model == "kmeans" else fragile.Boost(plugin.distributed_fit.catalogue)
    )
    monkeypatch.setattr(plugin, "distributed_fit", whole)
    mark.unlink()
    result, tracker = shared.run(*WHOLE, *DATA[model])
    assert mark.exists()
    assert tracker.params["engine_warm"] is True
    assert_same(result, plain)
    # The fold's two candidates are trained in one go; K-means' one after the other.
    assert result.metrics["units_run_again"] == (1 if model == "kmeans" else 2)
    assert all(trial.cpu_seconds >= 0 for trial in result.trials)


@pytest.mark.dask
@pytest.mark.shared_engine(kills=True, backend="dask", parallelism="data")
def test_a_fit_is_made_again_where_what_it_has_found_is_lost(shared, mark, monkeypatch):
    from optibench.backends.dask.xgboost import DaskXGBoost

    mark.touch()
    plain, _ = shared.run(*WHOLE, *DATA["xgboost"])
    fetch, lost = DaskXGBoost._gather, []

    def lose_one(self, tasks, workers):
        if not lost:
            lost.extend(self.engine.client.run(os.getpid, workers=list(workers)[:1]).values())
            os.kill(lost[0], signal.SIGKILL)
        return fetch(self, tasks, workers)

    monkeypatch.setattr(DaskXGBoost, "_gather", lose_one)
    result, _ = shared.run(*WHOLE, *DATA["xgboost"])
    assert_same(result, plain)
    assert result.metrics["units_run_again"] == 2


def test_what_was_done_before_every_worker_died_is_kept(mark):
    mark.touch()
    tracker = MemoryTracker()
    words = [*TREES, *QUIET, "model.space.max_depth=[2,4,5,99]", "search.target=2"]
    with pytest.raises(EngineError, match="died 4 times over the same trials"):
        run(*words, "backend.workers=1", tracker=tracker)
    assert tracker.status is Status.FAILED
    rows = tracker.artifacts["trials.csv"].decode().splitlines()[1:]
    assert 1 <= len(rows) <= 9
    assert all("FINISHED" in row for row in rows)


JVM_HAS_ENDED = r"Spark's JVM has ended \(exit code -9\)"


@pytest.mark.spark
@pytest.mark.shared_engine(kills=True, backend="spark")
def test_trials_whose_jvm_ends_say_so(shared, mark):
    """As where it is out of memory: then every call of Spark's fails in another way."""
    mark.touch()
    recorded, words = MemoryTracker(), [*TREES, "model.space.max_depth=[2,100]"]
    with pytest.raises(EngineError, match=JVM_HAS_ENDED):
        shared.run(*words, tracker=recorded)
    assert recorded.status is Status.FAILED
    assert "Spark's JVM has ended" in recorded.reason


@pytest.mark.spark
@pytest.mark.shared_engine(kills=True, backend="spark", parallelism="data")
def test_fits_of_all_workers_whose_jvm_ends_say_so(shared, mark, monkeypatch):
    mark.touch()
    recorded, last = MemoryTracker(), import_module("fragile").LastStarts()
    monkeypatch.setattr(find("model", "kmeans"), "distributed_fit", last)
    with pytest.raises(EngineError, match=JVM_HAS_ENDED):
        shared.run(*WHOLE, *DATA["kmeans"], tracker=recorded)
    assert recorded.status is Status.FAILED
    assert "Spark's JVM has ended" in recorded.reason


@pytest.mark.dask
def test_a_run_whose_engine_ends_over_its_files_says_so(monkeypatch, tmp_path):
    """Nothing is known of the data yet."""
    pd.DataFrame({"x": range(100), "y": [0, 1] * 50}).to_parquet(tmp_path / "0.parquet")
    monkeypatch.setattr(
        "optibench.strategies.data_parallel.survey.survey_blocks", import_module("fragile").look
    )
    words = [*QUIET, "backend=dask", "backend.parallelism=data", "model=xgboost"]
    words += ["dataset=parquet", f"dataset.path={tmp_path}", "dataset.target=y"]
    recorded = MemoryTracker()
    once = dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with once, pytest.raises(EngineError, match="Dask lost its workers"):
        run(*words, tracker=recorded)
    assert recorded.status is Status.FAILED
    assert "Dask lost its workers" in recorded.reason
    assert recorded.params["workers"] == 2
    assert "config.yaml" in recorded.artifacts
    assert "n_samples" not in recorded.params


@pytest.mark.spark
@pytest.mark.shared_engine(kills=True, backend="spark", parallelism="data")
def test_workers_that_cannot_meet_end_the_run(shared, mark, monkeypatch):
    plugin = find("model", "xgboost")
    monkeypatch.setattr(
        plugin, "distributed_fit", import_module("fragile").Boost(plugin.catalogue)
    )
    mark.touch()
    apart, recorded = mark.with_name("apart"), MemoryTracker()
    apart.touch()
    try:
        with pytest.raises(EngineError, match="nobody can meet here"):
            shared.run(*WHOLE, *DATA["xgboost"], tracker=recorded)
    finally:
        apart.unlink()
    assert recorded.status is Status.FAILED


@pytest.mark.dask
def test_a_dask_worker_that_does_not_come_back_is_reported(tmp_path, monkeypatch):
    from optibench.backends.dask import workers

    monkeypatch.setattr(workers, "RESTART_SECONDS", 0.5)
    with find("backend", "dask")().open(EngineRequest(1, 1, (), tmp_path, 2**33)) as opened:
        opened.client.cluster.scale(0)
        opened.client.sync(opened.client.cluster._correct_state)
        with pytest.raises(EngineError, match="Fewer than 1 Dask workers are left"):
            opened.workers.live()
