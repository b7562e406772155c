"""parallelism=data: each fit uses all workers; the same rows on all engines, known answers."""

import functools

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from xgboost import DataIter, QuantileDMatrix, XGBClassifier, train

import optibench
from optibench import benchmark
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import ConfigError
from optibench.evaluation.parts import PartPlan, part_numbers, row_keys
from optibench.evaluation.scoring import ScoringSettings, score
from optibench.models.xgboost import XGBoost
from optibench.records import HELD_OUT, Reused, Task
from optibench.tracking.memory import MemoryTracker

ENGINES = [
    pytest.param("dask", marks=pytest.mark.dask),
    pytest.param("spark", marks=pytest.mark.spark),
]
QUIET = ["profiling=off", "progress=false", "backend.keep_alive=true", "backend.parallelism=data"]
TREES = [
    "model=xgboost",
    "dataset=pima",
    "evaluation.folds=3",
    "model.space.max_depth=[2,4]",
    "model.space.eta=[0.3]",
    "model.space.subsample=[1.0]",
    "+model.space.n_estimators=[5,15]",
]
CLUSTERS = [
    "model=kmeans",
    "dataset=blobs",
    "dataset.n_samples=600",
    "dataset.n_features=3",
    "dataset.centers=4",
    "evaluation.folds=2",
    "model.space.n_clusters=[4]",
    "model.space.init=[k-means++]",
    "model.space.max_iter=[50]",
    "model.space.n_init=[1,3]",
]


@pytest.fixture(params=ENGINES, scope="module")
def engine(request):
    """The engines that train on all workers at once."""
    return request.param


@pytest.fixture(autouse=True, scope="module")
def nothing_kept():
    """No engine of another module, and none left for one."""
    optibench.release_engine()
    yield
    optibench.release_engine()


def run(*overrides):
    """A benchmark, and what its tracker was told."""
    tracker = MemoryTracker()
    return benchmark.run(resolve(compose([*QUIET, *overrides])), tracker=tracker), tracker


@functools.cache
def once(backend, *words):
    """The same, run once for all tests that only look at it."""
    return run(*words, f"backend={backend}")


def dataset_of(*overrides):
    from optibench.datasets.encoding import encode

    config = resolve(compose(list(overrides)))
    return encode(config.dataset.load(0), config.model.task)


def parts_of(dataset, folds):
    keys = row_keys(0, dataset.name, 0, dataset.n_samples)
    return part_numbers(keys, PartPlan(0, 0.2, folds))


class Pieces(DataIter):
    """The rows of some parts, one part after the other, as one worker holds them."""

    def __init__(self, dataset, parts, wanted):
        self.pieces = [(dataset.X[parts == p], dataset.y[parts == p]) for p in wanted]
        self.at = 0
        super().__init__(release_data=False)

    def next(self, input_data):
        if self.at == len(self.pieces):
            return False
        X, y = self.pieces[self.at]
        input_data(data=X.astype("float32"), label=y)
        self.at += 1
        return True

    def reset(self):
        self.at = 0


def test_on_one_worker_trees_are_those_of_xgboost_alone(engine):
    result, _ = run(*TREES, f"backend={engine}", "backend.workers=1")
    dataset = dataset_of(*TREES)
    parts = parts_of(dataset, 3)
    settings = ScoringSettings(10_000, 0, 2)
    assert len(result.trials) == 4 * 3
    for trial in result.trials:
        wanted = [part for part in range(3) if part != trial.fold]
        matrix = QuantileDMatrix(Pieces(dataset, parts, wanted), max_bin=256, nthread=1)
        params = {
            **{name: v for name, v in trial.params.items() if name != "n_estimators"},
            "objective": "binary:logistic",
            "nthread": 1,
            "seed": 0,
        }
        booster = train(params, matrix, trial.params["n_estimators"])
        fitted = XGBClassifier(n_jobs=1)
        fitted.load_model(booster.save_raw("ubj"))
        check = parts == trial.fold
        rows = np.argsort(sampling(dataset)[check])
        X, y = dataset.X[check][rows], dataset.y[check][rows]
        plain = score(Task.CLASSIFICATION, X, y, XGBoost().predict(fitted, X), settings)
        assert trial.scores == plain.values


def sampling(dataset):
    from optibench.evaluation.parts import sampling_order

    return sampling_order(row_keys(0, dataset.name, 0, dataset.n_samples))


def test_trees_find_the_same_on_every_engine(engine):
    result, tracker = once(engine, *TREES)
    other, _ = once("dask", *TREES)
    assert [t.scores for t in result.trials] == [t.scores for t in other.trials]
    assert result.metrics["accuracy"] == other.metrics["accuracy"]
    assert tracker.params["engine_params.workers"] == 2
    assert tracker.params["engine_params.max_depth"] == result.best_params["max_depth"]
    assert tracker.params["split"] == "hash of seed, file and row"
    assert tracker.params["parallelism"] == "data"


def test_the_model_is_the_one_that_was_scored(engine):
    for words, metric in ((TREES, "accuracy"), (CLUSTERS, "inertia")):
        result, _ = once(engine, *words)
        dataset = dataset_of(*words)
        held_out = parts_of(dataset, int(words[2].split("=")[1]) if words is TREES else 2)
        check = held_out == HELD_OUT
        X = dataset.X[check]
        X = X if result.model.scaler is None else result.model.scaler.transform(X)
        if metric == "accuracy":
            value = (result.model.estimator.predict(X) == dataset.y[check]).mean()
        else:
            value = -result.model.estimator.score(X)
        assert result.metrics[metric] == pytest.approx(value, rel=1e-6)


def test_clusters_that_lie_apart_are_those_of_scikit_learn(engine):
    result, _ = once(engine, *CLUSTERS)
    dataset = dataset_of(*CLUSTERS)
    parts = parts_of(dataset, 2)
    X = StandardScaler().fit(dataset.X[parts != HELD_OUT]).transform(dataset.X)
    for trial in result.trials:
        if trial.params["n_init"] == 1:
            continue
        mine = (parts != HELD_OUT) & (parts != trial.fold)
        plain = KMeans(4, n_init=10, random_state=0).fit(X[mine])
        rows = np.argsort(sampling(dataset)[parts == trial.fold])
        inertia = -plain.score(X[parts == trial.fold][rows])
        assert trial.scores["inertia"] == pytest.approx(inertia, rel=1e-4)
    more = [t for t in result.trials if t.params["n_init"] == 3]
    assert {t.reused for t in more} == {Reused.BEGINNING}
    assert all(t.standalone_cpu_seconds > t.cpu_seconds for t in more)


def test_the_baselines_are_those_of_the_rows(engine):
    words = ["search=none", "model.params.n_estimators=5", "evaluation.default_fit=false"]
    result, _ = run(*TREES, *words, f"backend={engine}")
    dataset = dataset_of(*TREES)
    parts = parts_of(dataset, 1)
    majority = np.bincount(dataset.y[parts != HELD_OUT]).argmax()
    expected = (dataset.y[parts == HELD_OUT] == majority).mean()
    assert result.metrics["baseline_accuracy"] == expected
    assert not any(name.startswith("default_") for name in result.metrics)
    assert result.trials == ()


def test_random_search_and_plain_fits_agree(engine):
    words = [*TREES, f"backend={engine}", "search=random", "search.n_iter=3"]
    result, _ = run(*words)
    plain, _ = run(*words, "search.reuse=false")
    assert [t.scores for t in result.trials] == [t.scores for t in plain.trials]
    assert {t.reused for t in plain.trials} == {Reused.NOTHING}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backend=sklearn"], "backend=sklearn has no trainer for model=xgboost"),
        (["backend=dask", "model=random_forest"], "it trains kmeans, xgboost, xgboost_regression"),
        (["backend=dask", "search=halving"], "search=halving cannot be had"),
        (["backend=dask", "evaluation.groups=x"], "evaluation.groups='x'"),
        (["backend=dask", "+model.params.tree_method=exact"], "tree_method=exact cannot be had"),
        (["backend=dask", "+model.params.early_stopping_rounds=3"], "early_stopping_rounds"),
        (["backend=dask", "model=kmeans", "+model.params.algorithm=elkan"], "algorithm=elkan"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(words, told):
    with pytest.raises(ConfigError, match=told):
        run("model=xgboost", *words)


def test_chunks_in_files_give_the_same(engine, monkeypatch, tmp_path):
    words = [
        "model=xgboost",
        "search=none",
        "dataset=parquet",
        f"dataset.path={tmp_path}",
        "dataset.target=y",
        "dataset.categorical=[kind]",
        "+model.params.n_estimators=8",
        f"backend={engine}",
    ]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(3000, 4)), columns=list("abcd"))
    frame["kind"] = rng.choice(["x", "y", "z"], len(frame))
    frame["y"] = np.where(frame["a"] + (frame["kind"] == "y") > 0.5, "high", "low")
    for number in range(4):
        frame.iloc[number::4].to_parquet(tmp_path / f"{number}.parquet", row_group_size=200)
    in_memory, told = run(*words)
    monkeypatch.setattr("optibench.ways.data.HELD_SHARE", 1e-9)
    in_files, also = run(*words)
    assert (told.params["chunks"], also.params["chunks"]) == ("memory", "files")
    quality = ["accuracy", "log_loss", "train_log_loss", "default_log_loss"]
    assert [in_files.metrics[m] for m in quality] == [in_memory.metrics[m] for m in quality]
    assert in_memory.metrics["accuracy"] > 0.9
    trained = in_files.model.estimator.get_booster()
    assert trained.feature_types == ["q", "q", "q", "q", "c"]


@pytest.mark.dask
def test_clusters_from_chunks_in_files_are_the_same(monkeypatch):
    words = [*CLUSTERS, "search=none", "backend=dask", "+model.params.n_clusters=4"]
    in_memory, told = run(*words)
    monkeypatch.setattr("optibench.ways.data.HELD_SHARE", 1e-9)
    in_files, also = run(*words)
    assert (told.params["chunks"], also.params["chunks"]) == ("memory", "files")
    quality = ["silhouette", "inertia", "train_inertia", "train_davies_bouldin"]
    assert [in_files.metrics[m] for m in quality] == [in_memory.metrics[m] for m in quality]
