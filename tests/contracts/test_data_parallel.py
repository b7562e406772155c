"""parallelism=data: each fit uses all workers; the same rows on all engines, known answers."""

import functools
import json
import marshal
import time

import dask
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from tests.engines import SharedEngine, run
from xgboost import DataIter, QuantileDMatrix, XGBClassifier, train

from optibench.backends.common import reuse
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import BenchmarkError, ConfigError, DataError
from optibench.evaluation.parts import PartPlan, part_numbers, row_keys
from optibench.evaluation.scoring import ScoringSettings, score
from optibench.models.xgboost import XGBoost
from optibench.records import HELD_OUT, Reused, Status, Task
from optibench.tracking.memory import MemoryTracker

pytestmark = pytest.mark.shared_engine(parallelism="data")
NO_DEFAULT = "evaluation.default_fit=false"
ON_DASK = pytest.mark.shared_engine(backend="dask", parallelism="data")
ON_SPARK = pytest.mark.shared_engine(backend="spark", parallelism="data")
TREES = [
    "model=xgboost",
    "dataset=pima",
    "evaluation.folds=3",
    "model.space.max_depth=[2,4]",
    "model.space.eta=[0.3]",
    "model.space.subsample=[1.0]",
    "+model.space.n_estimators=[5,15]",
    "profiling=cprofile",
]
CLUSTERS = [
    "model=kmeans",
    "dataset=blobs",
    "dataset.n_samples=600",
    "dataset.n_features=3",
    "dataset.centers=4",
    "evaluation.folds=2",
    "model.space.n_clusters=[4,500]",
    "model.space.init=[k-means++]",
    "model.space.max_iter=[50]",
    "model.space.n_init=[1,2]",
    "profiling=cprofile",
    NO_DEFAULT,
]


@functools.cache
def once(shared, *words):
    """A run on an engine, made once for all tests that only look at it."""
    return shared.run(*words)


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


@pytest.mark.parametrize("workers", [1])
@pytest.mark.usefixtures("training_backend", "workers")
def test_on_one_worker_trees_are_those_of_xgboost_alone(shared):
    result, _ = shared.run(*TREES)
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


@pytest.mark.usefixtures("training_backend")
def test_trees_find_the_same_on_every_engine(shared):
    result, tracker = once(shared, *TREES)
    other, _ = once(SharedEngine("dask", "data"), *TREES)
    assert [t.scores for t in result.trials] == [t.scores for t in other.trials]
    assert result.metrics["accuracy"] == other.metrics["accuracy"]
    assert tracker.params["engine_params.workers"] == 2
    assert tracker.params["engine_params.max_depth"] == result.best_params["max_depth"]
    left_to_xgboost = {"max_bin": "256", "reg_lambda": "1", "sampling_method": "uniform"}
    assert {k: tracker.params[f"engine_params.{k}"] for k in left_to_xgboost} == left_to_xgboost
    share = float(tracker.params["engine_params.base_score"].strip("[]"))
    assert share == pytest.approx(268 / 768, abs=0.03)
    assert "engine_params.lambda" not in tracker.params
    assert tracker.params["split"] == "hash of seed, file and row"
    assert tracker.params["parallelism"] == "data"


@pytest.mark.usefixtures("training_backend")
def test_the_model_is_the_one_that_was_scored(shared):
    for words, metric in ((TREES, "accuracy"), (CLUSTERS, "inertia")):
        result, _ = once(shared, *words)
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


@pytest.mark.usefixtures("training_backend")
def test_clusters_that_lie_apart_are_those_of_scikit_learn(shared):
    result, _ = once(shared, *CLUSTERS)
    dataset = dataset_of(*CLUSTERS)
    parts = parts_of(dataset, 2)
    X = StandardScaler().fit(dataset.X[parts != HELD_OUT]).transform(dataset.X)
    found = [trial for trial in result.trials if trial.params["n_clusters"] == 4]
    more = [trial for trial in found if trial.params["n_init"] == 2]
    for trial in more:
        mine = (parts != HELD_OUT) & (parts != trial.fold)
        plain = KMeans(4, n_init=10, random_state=0).fit(X[mine])
        rows = np.argsort(sampling(dataset)[parts == trial.fold])
        inertia = -plain.score(X[parts == trial.fold][rows])
        assert trial.scores["inertia"] == pytest.approx(inertia, rel=1e-4)
    assert {t.reused for t in more} == {Reused.BEGINNING}
    assert all(t.standalone_cpu_seconds > t.cpu_seconds for t in more)


@pytest.mark.usefixtures("training_backend")
def test_more_clusters_than_rows_are_the_error_of_that_candidate(shared):
    result, _ = once(shared, *CLUSTERS)
    errors = {t.params["n_clusters"]: t.error for t in result.trials if t.status is Status.FAILED}
    assert list(errors) == [500]
    assert "more than the 2" in errors[500]
    assert result.best_params["n_clusters"] == 4


def recorded_by_engine(tracker):
    return json.loads(tracker.artifacts["profile/engine.json"])


@pytest.mark.usefixtures("training_backend")
def test_what_the_engine_itself_says_adds_up_and_fits_into_the_phases(shared):
    for words in (TREES, CLUSTERS):
        result, tracker = once(shared, *words)
        recorded = recorded_by_engine(tracker)
        assert recorded["engine"] == shared.backend
        assert list(recorded["phases"]) == ["search", "fit", "score"]
        for part in (recorded, *recorded["phases"].values()):
            seconds = [operation["run_seconds"] for operation in part["operations"]]
            assert seconds == sorted(seconds, reverse=True)
            for name in ("tasks", "run_seconds", "cpu_seconds"):
                total = sum(operation.get(name, 0) for operation in part["operations"])
                assert part["total"][name] == pytest.approx(total, abs=1e-4)
        for name, total in recorded["total"].items():
            parts = [phase["total"].get(name, 0) for phase in recorded["phases"].values()]
            assert sum(parts) == pytest.approx(total, abs=1e-4)
        for phase, part in recorded["phases"].items():
            in_rounds = 0.001 * part["total"]["tasks"]  # Spark counts milliseconds
            has = 2 * result.metrics[f"{phase}_seconds"] + in_rounds
            assert 0 < part["total"]["cpu_seconds"] <= part["total"]["run_seconds"] + in_rounds
            assert part["total"]["run_seconds"] <= has
        assert "engine.json" not in tracker.params.get("measurement_notes", "")


@pytest.mark.usefixtures("training_backend")
def test_the_engine_counts_the_tasks_of_this_run_and_of_no_other(shared):
    _, trees = once(shared, *TREES)
    recorded, folds, workers = recorded_by_engine(trees), 3, 2
    if shared.backend == "dask":
        tasks = {
            phase: {operation["name"]: operation["tasks"] for operation in part["operations"]}
            for phase, part in recorded["phases"].items()
        }
        assert tasks["search"]["train_here"] == folds * workers
        assert tasks["fit"] == {"train_here": workers}
    else:
        in_search = workers + 2 * folds * workers  # the table is read; rows and fits of each fold
        assert recorded["phases"]["search"]["total"]["tasks"] == in_search
        assert recorded["phases"]["fit"]["total"]["tasks"] == workers
    _, clusters = once(shared, *CLUSTERS)
    names = {operation["name"] for operation in recorded_by_engine(clusters)["operations"]}
    assert not any("train_here" in name or "partitions.py" in name for name in names)


@pytest.mark.usefixtures("training_backend")
def test_the_baselines_are_those_of_the_rows(shared):
    words = ["search=none", "model.params.n_estimators=5", NO_DEFAULT]
    result, _ = shared.run(*TREES, *words)
    dataset = dataset_of(*TREES)
    parts = parts_of(dataset, 1)
    majority = np.bincount(dataset.y[parts != HELD_OUT]).argmax()
    expected = (dataset.y[parts == HELD_OUT] == majority).mean()
    assert result.metrics["baseline_accuracy"] == expected
    assert not any(name.startswith("default_") for name in result.metrics)
    assert result.trials == ()


@pytest.mark.usefixtures("training_backend")
def test_random_search_and_plain_fits_agree(shared):
    words = [*TREES, "evaluation.folds=2", "search=random", "search.n_iter=3", NO_DEFAULT]
    result, _ = shared.run(*words)
    plain, _ = shared.run(*words, "search.reuse=false")
    assert [t.scores for t in result.trials] == [t.scores for t in plain.trials]
    assert {t.reused for t in plain.trials} == {Reused.NOTHING}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["backend=sklearn"], "backend=sklearn has no trainer for model=xgboost"),
        (["backend=dask", "model=random_forest"], "only for kmeans, xgboost, xgboost_regression"),
        (["backend=dask", "search=halving"], "search=halving cannot be used"),
        (["backend=dask", "evaluation.groups=x"], "evaluation.groups='x'"),
        (
            ["backend=dask", "+model.params.tree_method=exact"],
            "tree_method=exact is not available",
        ),
        (["backend=dask", "+model.params.early_stopping_rounds=3"], "early_stopping_rounds"),
        (["backend=dask", "model=kmeans", "+model.params.algorithm=elkan"], "algorithm=elkan"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(words, message):
    with pytest.raises(ConfigError, match=message):
        run("backend.parallelism=data", "progress=false", "model=xgboost", *words)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Words for a table of 3,000 rows in 4 files."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(3000, 4)), columns=list("abcd"))
    frame["kind"] = rng.choice(["x", "y", "z"], len(frame))
    frame["y"] = np.where(frame["a"] + (frame["kind"] == "y") > 0.5, "high", "low")
    for number in range(4):
        frame.iloc[number::4].to_parquet(folder / f"{number}.parquet", row_group_size=200)
    return [
        "model=xgboost",
        "search=none",
        "dataset=parquet",
        f"dataset.path={folder}",
        "dataset.target=y",
        "dataset.categorical=[kind]",
        "+model.params.n_estimators=8",
    ]


@pytest.mark.usefixtures("training_backend")
def test_chunks_in_files_give_the_same(shared, monkeypatch, files):
    in_memory, tracker = once(shared, *files)
    monkeypatch.setattr("optibench.strategies.data_parallel.memory.HELD_SHARE", 1e-9)
    in_files, also = shared.run(*files)
    assert (tracker.params["chunks"], also.params["chunks"]) == ("memory", "files")
    quality = ["accuracy", "log_loss", "train_log_loss", "default_log_loss"]
    assert [in_files.metrics[m] for m in quality] == [in_memory.metrics[m] for m in quality]
    assert in_memory.metrics["accuracy"] > 0.9
    trained = in_files.model.estimator.get_booster()
    assert trained.feature_types == ["q", "q", "q", "q", "c"]


@pytest.mark.usefixtures("training_backend")
def test_a_worker_without_a_row_to_train_on_takes_part(shared, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=401), "z": rng.normal(size=401)})
    frame["y"] = np.where(frame["x"] > 0, "up", "down")
    frame[:400].to_parquet(tmp_path / "0.parquet")
    frame[400:].to_parquet(tmp_path / "1.parquet")
    result, tracker = shared.run(
        "model=xgboost",
        "dataset=parquet",
        f"dataset.path={tmp_path}",
        "dataset.target=y",
        "evaluation.folds=2",
        "model.space.max_depth=[2]",
        "model.space.eta=[0.3]",
        "model.space.subsample=[1.0]",
        "+model.params.n_estimators=5",
        NO_DEFAULT,
    )
    assert tracker.params["engine_params.workers"] == 2
    assert [trial.status for trial in result.trials] == [Status.FINISHED] * 2
    assert result.metrics["accuracy"] > 0.9


@pytest.mark.dask
@ON_DASK
def test_bins_of_a_large_table_are_those_of_the_same_sample_wherever_it_lies(
    shared, monkeypatch, files
):
    of_all, _ = once(shared, *files)
    monkeypatch.setattr("optibench.strategies.data_parallel.parts.SKETCHED_VALUES", 0)
    monkeypatch.setattr("optibench.strategies.data_parallel.parts.SAMPLED_VALUES", 5 * 1000)
    in_memory, _ = shared.run(*files, NO_DEFAULT)
    monkeypatch.setattr("optibench.strategies.data_parallel.memory.HELD_SHARE", 1e-9)
    in_files, _ = shared.run(*files, NO_DEFAULT)
    loss = in_memory.metrics["log_loss"]
    assert loss == in_files.metrics["log_loss"] != of_all.metrics["log_loss"]
    assert loss == pytest.approx(of_all.metrics["log_loss"], rel=0.2)


def burn(seconds):
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        pass


@pytest.mark.spark
@pytest.mark.shared_engine(backend="spark", parallelism="data", workers=1)
def test_spark_gives_a_task_the_cores_of_its_threads(shared):
    words = [*TREES, "search=none", "backend.threads_per_trial=2", "cores=2"]
    result, tracker = shared.run(*words)
    conf = reuse.idle_engine().engine.context.getConf()
    assert conf.get("spark.task.cpus") == "2"
    assert tracker.params["engine_params.n_jobs"] == 2
    alone = XGBClassifier(n_jobs=1)
    dataset = dataset_of(*TREES)
    held_out = parts_of(dataset, 1) == HELD_OUT
    alone.fit(dataset.X[~held_out], dataset.y[~held_out])
    accuracy = alone.score(dataset.X[held_out], dataset.y[held_out])
    assert result.metrics["accuracy"] == pytest.approx(accuracy, abs=0.03)


@pytest.mark.parametrize(
    ("words", "own"),
    [
        pytest.param(TREES, "update", id="xgboost"),
        pytest.param(CLUSTERS, "predict_chunk", id="kmeans"),
    ],
)
@pytest.mark.usefixtures("training_backend")
def test_the_profile_is_that_of_what_workers_do(shared, words, own):
    _, tracker = once(shared, *words)
    text = tracker.artifacts["profile/functions.txt"].decode()
    assert text.startswith("Workers: reading, training and predicting of ")
    assert "see engine.json" in text
    found = marshal.loads(tracker.artifacts["profile/workers.prof"])  # noqa: S302 - our own
    in_workers = {(file, name) for file, _, name in found}
    assert ("optibench/strategies/data_parallel/chunks.py", "__call__") in in_workers
    assert own in {name for _, name in in_workers}
    assert not any(
        "data_parallel/strategy.py" in file for file, _ in in_workers
    )  # which the driver runs


@pytest.mark.spark
@ON_SPARK
def test_spark_says_of_known_work_what_its_own_pages_say(shared, tmp_path):
    with shared.opened(tmp_path) as engine:
        context = engine.context
        own = engine.task_metrics()
        own.begin("search")
        first = context._jsc.sc().dagScheduler().nextStageId()
        context.parallelize(range(4), 4).map(lambda _: time.sleep(0.1)).collect()
        own.begin("fit")
        pairs = context.parallelize(range(100), 3).map(lambda n: (n % 5, n))
        assert pairs.reduceByKey(lambda a, b: a + b, 2).count() == 5
        recorded = own.read()
        store = context._jsc.sc().statusStore()
        stages = [store.lastStageAttempt(first + number) for number in range(3)]
        assert recorded["total"]["tasks"] == sum(stage.numCompleteTasks() for stage in stages) == 9
        for name, per_second, count in [
            ("run_seconds", 1e3, "executorRunTime"),
            ("cpu_seconds", 1e9, "executorCpuTime"),
            ("deserialise_seconds", 1e3, "executorDeserializeTime"),
            ("gc_seconds", 1e3, "jvmGcTime"),
            ("shuffle_written_bytes", 1, "shuffleWriteBytes"),
            ("shuffle_read_bytes", 1, "shuffleReadBytes"),
            ("result_bytes", 1, "resultSize"),
        ]:
            total = sum(getattr(stage, count)() for stage in stages) / per_second
            assert recorded["total"][name] == pytest.approx(total, abs=1e-5)
        assert recorded["total"]["shuffle_written_bytes"] > 0
        assert recorded["phases"]["search"]["total"]["run_seconds"] >= 0.4
        assert recorded["phases"]["search"]["total"]["tasks"] == 4
        assert engine.task_metrics().read()["total"]["tasks"] == 0


@pytest.mark.dask
@ON_DASK
def test_clusters_from_chunks_in_files_are_the_same(shared, monkeypatch):
    words = [*CLUSTERS, "search=none", "+model.params.n_clusters=4"]
    in_memory, tracker = shared.run(*words)
    monkeypatch.setattr("optibench.strategies.data_parallel.memory.HELD_SHARE", 1e-9)
    in_files, also = shared.run(*words)
    assert (tracker.params["chunks"], also.params["chunks"]) == ("memory", "files")
    quality = ["silhouette", "inertia", "train_inertia", "train_davies_bouldin"]
    assert [in_files.metrics[m] for m in quality] == [in_memory.metrics[m] for m in quality]
    monkeypatch.setattr(
        "optibench.strategies.data_parallel.strategy.SCORED_BYTES", 18_000
    )  # 200 rows
    sampled, _ = shared.run(*words)
    assert sampled.metrics["train_inertia"] != in_memory.metrics["train_inertia"]
    assert sampled.metrics["train_inertia"] == pytest.approx(
        in_memory.metrics["train_inertia"], rel=0.2
    )


@pytest.mark.dask
@ON_DASK
def test_dask_says_of_known_work_what_it_used(shared, tmp_path):
    with shared.opened(tmp_path) as engine:
        own = engine.task_metrics()
        own.begin("search")
        client = engine.client
        client.gather([engine.metrics.submit(burn, 0.1) for _ in range(4)])
        client.submit(burn, 0.1, pure=False).result()  # of somebody else
        own.begin("fit")
        with pytest.raises(ZeroDivisionError):
            engine.metrics.submit(divmod, 1, 0).result()
        assert dask.get_annotations() == {}
        recorded = own.read()
        (search,) = recorded["phases"]["search"]["operations"]
        assert (search["name"], search["tasks"]) == ("burn", 4)
        assert 0.4 <= search["cpu_seconds"] < 0.44
        assert search["cpu_seconds"] <= search["run_seconds"]
        assert recorded["phases"]["fit"]["operations"][0]["failed_seconds"] > 0
        assert engine.task_metrics().read()["total"]["tasks"] == 0


# These end the shared engine, and come last.
EVENED = "backend.rebalance=true"


@pytest.mark.dask
@ON_DASK
def test_a_kept_engine_outlives_wrong_data_and_goes_with_an_interrupted_run(
    shared, monkeypatch, files
):
    from optibench.runner import loading

    once(shared, *files)
    if reuse.idle_engine() is None:
        shared.run(*files, NO_DEFAULT)
    engine = reuse.idle_engine().engine
    with pytest.raises(DataError, match="kind"):
        shared.run(*files, "dataset.categorical=[]")
    assert reuse.idle_engine().engine is engine

    def look_and_be_interrupted(*asked):
        survey_with_engine(*asked)
        raise KeyboardInterrupt

    survey_with_engine = loading.survey_with_engine
    monkeypatch.setattr(loading, "survey_with_engine", look_and_be_interrupted)
    with pytest.raises(KeyboardInterrupt):
        shared.run(*files)
    assert reuse.idle_engine() is None


@pytest.mark.dask
@ON_DASK
def test_chunks_that_are_evened_out_train_as_well(shared, files):
    plain, _ = once(shared, *files)
    evened, tracker = shared.run(*files, NO_DEFAULT, EVENED)
    assert tracker.params["engine_params.workers"] == 2
    assert evened.metrics["log_loss"] == pytest.approx(plain.metrics["log_loss"], rel=0.05)


@pytest.mark.dask
@ON_DASK
def test_a_run_that_fails_keeps_what_the_engine_says_so_far(shared, monkeypatch):
    def fail(*_):
        msg = "no score today"
        raise BenchmarkError(msg)

    monkeypatch.setattr("optibench.strategies.data_parallel.strategy.DataParallel.evaluate", fail)
    tracker = MemoryTracker()
    with pytest.raises(BenchmarkError):
        shared.run(*TREES, "search=none", EVENED, tracker=tracker)
    assert tracker.reason == "no score today"
    assert list(recorded_by_engine(tracker)["phases"]) == ["search", "fit"]
