"""Plug-ins with one fault each, in the suites. `test_broken_plugins.py` runs this file."""

import itertools
import subprocess
import sys
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from optibench.backends.common import worker_process
from optibench.backends.sklearn.backend import LokyEngine, SklearnBackend
from optibench.datasets.builtin import Iris
from optibench.datasets.parquet import Parquet
from optibench.errors import EngineError
from optibench.models.kmeans import KMeans
from optibench.models.kmeans_fit_sharing import KMeansFitSharing
from optibench.models.random_forest import RandomForest
from optibench.records import BatchOutcome, Candidate
from optibench.search.proposals import FixedProposals
from optibench.search.random import RandomSearch
from optibench.testing import (
    BackendSuite,
    DatasetSuite,
    ModelSuite,
    OpenEngineSuite,
    SearchSuite,
)

COUNT = itertools.count()


class OneEngine:
    """The classes share an engine, which ends with the process."""

    @classmethod
    def teardown_class(cls):
        """Leave it up."""


class BrokenModel(OneEngine, ModelSuite):
    space: ClassVar = {"max_depth": [1, 3], "n_estimators": [3]}
    kind = None

    @pytest.fixture
    def model(self):
        return self.kind()


class TestModelThatNoPackageDeclares(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        pass


class TestUnseededModel(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def make(self, params, facts, *, seed, threads):
            seed += np.random.randint(99)
            return super().make(params, facts, seed=seed, threads=threads)


class TestModelThatWritesIntoItsRows(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def predict(self, estimator, X):
            X -= X.mean()
            return super().predict(estimator, X)


class TestModelThatTakesAnything(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def check(self, params):
            """All is well."""


class TestModelWithOneIdentity(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def identity(self, _params):
            return self.name


class TestModelWithFloatLabels(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def predict(self, estimator, X):
            found = super().predict(estimator, X)
            return replace(found, labels=found.labels.astype(float))


class TestModelOfNoModule(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        modules: ClassVar = ("sklearn.no_such_module",)


class TestModelThatStaysAtHome(BrokenModel):
    @dataclass(frozen=True)
    class kind(RandomForest):  # noqa: N801
        def __reduce__(self):
            msg = "it cannot be sent"
            raise TypeError(msg)


class TestModelWhoseSavingsChangeScores(BrokenModel):
    space: ClassVar = {"n_clusters": [2, 3], "n_init": [1, 2]}

    @dataclass(frozen=True)
    class kind(KMeans):  # noqa: N801
        class Wrong(KMeansFitSharing):
            def fit(self, members, fold, costs, setting):
                for shared in super().fit(members, fold, costs, setting):
                    labels = (shared.prediction.labels + 1) % 2
                    yield replace(shared, prediction=replace(shared.prediction, labels=labels))

        fit_sharing = Wrong()


class BrokenSearch(OneEngine, SearchSuite):
    kind = None

    @pytest.fixture
    def search(self):
        return self.kind(n_iter=4)


def with_state(state):
    """A search whose state is a fixed one with a fault."""

    @dataclass(frozen=True, kw_only=True)
    class Search(RandomSearch):
        def start(self, params, space, facts):
            return state(params, [c.params for c in super().start(params, space, facts).examples])

    return Search


class TestSearchThatNoPackageDeclares(BrokenSearch):
    @dataclass(frozen=True, kw_only=True)
    class kind(RandomSearch):  # noqa: N801
        pass


class TestSearchThatGivesMoreThanItHasRoomFor(BrokenSearch):
    class State(FixedProposals):
        window = 2

        def ask(self, room):
            return super().ask(room + 1)

    kind = with_state(State)


class TestSearchThatNumbersFromOne(BrokenSearch):
    class State(FixedProposals):
        def ask(self, room):
            return [Candidate(c.number + 1, c.params) for c in super().ask(room)]

    kind = with_state(State)


class TestSearchOutsideTheSpace(BrokenSearch):
    class State(FixedProposals):
        def __init__(self, params, points):
            super().__init__(params, [{**point, "depth": 9} for point in points])

    kind = with_state(State)


class TestSearchThatEndsOverAFailure(BrokenSearch):
    class State(FixedProposals):
        def tell(self, results):
            assert all(np.isfinite(result.mean_scores["score"]) for result in results)

    kind = with_state(State)


class TestSearchWithoutExamples(BrokenSearch):
    class State(FixedProposals):
        def __init__(self, params, points):
            super().__init__(params, points)
            self.left, self.examples = self.examples, ()

        def ask(self, room):
            given, self.left = self.left[:room], self.left[room:]
            return given

    kind = with_state(State)


class TestUnseededSearch(BrokenSearch):
    @dataclass(frozen=True, kw_only=True)
    class kind(RandomSearch):  # noqa: N801
        def start(self, params, space, facts):
            other = replace(RandomSearch(n_iter=4), seed=np.random.randint(10**6))
            return other.start(params, space, facts)


class TestSearchThatChangesTheSpace(BrokenSearch):
    @dataclass(frozen=True, kw_only=True)
    class kind(RandomSearch):  # noqa: N801
        def start(self, params, space, facts):
            state = super().start(params, dict(space), facts)
            params["new"] = 1
            return state


class TestSearchOfAnEmptySpace(BrokenSearch):
    @dataclass(frozen=True, kw_only=True)
    class kind(RandomSearch):  # noqa: N801
        def start(self, params, space, facts):
            return super().start(params, space, facts) if space else FixedProposals({}, [{}])


class BrokenDataset(OneEngine, DatasetSuite):
    kind = None

    @pytest.fixture
    def dataset(self):
        return self.kind()


class TestDatasetThatNoPackageDeclares(BrokenDataset):
    @dataclass(frozen=True)
    class kind(Iris):  # noqa: N801
        pass


class TestUnseededDataset(BrokenDataset):
    @dataclass(frozen=True)
    class kind(Iris):  # noqa: N801
        def load(self, seed):
            table = super().load(seed)
            return replace(table, frame=table.frame.sample(frac=1.0))


class TestDatasetWithAnotherName(BrokenDataset):
    @dataclass(frozen=True)
    class kind(Iris):  # noqa: N801
        def load(self, seed):
            return replace(super().load(seed), name="flowers")


class TestDatasetWithInfiniteValues(BrokenDataset):
    @dataclass(frozen=True)
    class kind(Iris):  # noqa: N801
        def load(self, seed):
            table = super().load(seed)
            frame = table.frame.copy()
            frame.iloc[0, 0] = np.inf
            return replace(table, frame=frame)


class TestDatasetWhoseBlocksLackARow(BrokenDataset):
    @pytest.fixture
    def dataset(self, tmp_path):
        @dataclass(frozen=True)
        class Short(Parquet):
            def load(self, seed):
                table = super().load(seed)
                return replace(table, frame=table.frame.iloc[:-1])

        frame = pd.DataFrame({"x": range(60), "y": ["a", "b"] * 30})
        frame.to_parquet(tmp_path / "0.parquet")
        return Short(path=str(tmp_path), target="y")


class BrokenBackend(BackendSuite):
    kind = None

    @pytest.fixture
    def backend(self):
        return self.kind(workers=2)


class TestBackendThatLeavesAProcess(BrokenBackend):
    @dataclass(frozen=True)
    class kind(SklearnBackend):  # noqa: N801
        @contextmanager
        def open(self, request):
            code = "import sys; sys.stdin.read()"  # it ends with this process
            subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
            with super().open(request) as engine:
                yield engine


class TestBackendThatCountsNoLoss(BrokenBackend):
    @dataclass(frozen=True)
    class kind(SklearnBackend):  # noqa: N801
        @contextmanager
        def open(self, request):
            with super().open(request) as engine:
                engine.__class__ = type("Engine", (LokyEngine,), {"units_run_again": 0})
                yield engine


class TestBackendWithErrorsOfItsOwn(BrokenBackend):
    @dataclass(frozen=True)
    class kind(SklearnBackend):  # noqa: N801
        @contextmanager
        def open(self, request):
            try:
                with super().open(request) as engine:
                    yield engine
            except EngineError as error:
                raise RuntimeError from error


class TestBackendThatNoPackageDeclares(BrokenBackend):
    @dataclass(frozen=True)
    class kind(SklearnBackend):  # noqa: N801
        pass


def rounded(task, value, batch):
    """Run a task; lose the last digits of its scores."""
    outcome = task(value, batch)
    trials = [
        replace(trial, scores={name: round(score, 9) for name, score in trial.scores.items()})
        for trial in outcome.trials
    ]
    return replace(outcome, units=(replace(outcome.units[0], trials=tuple(trials)),))


class TestBackendWhoseScoresAreRounded(BrokenBackend):
    @dataclass(frozen=True)
    class kind(SklearnBackend):  # noqa: N801
        @contextmanager
        def open(self, request):
            with super().open(request) as engine:
                changed = {"submit": submit_rounded}
                engine.__class__ = type("Engine", (LokyEngine,), changed)
                yield engine


def submit_rounded(self, task, shared, batch):
    return LokyEngine.submit(self, partial(rounded, task), shared, batch)


class BrokenEngine(OpenEngineSuite):
    changed: ClassVar = {}
    options: ClassVar = {}

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls):
        @dataclass(frozen=True)
        class Backend(SklearnBackend):
            @contextmanager
            def open(self, request):
                with super().open(replace(request, **cls.options)) as engine:
                    engine.__class__ = type("Engine", (LokyEngine,), cls.changed)
                    yield engine

        return Backend(workers=2)


class TestEngineWithManyFaults(BrokenEngine):
    """It sends the shared value with each batch, allows too many threads, miscounts, is silent."""

    options: ClassVar = {"threads": 3}
    changed: ClassVar = {
        "share": lambda _, value: value,
        "view": lambda _, value: value,
        "submit": lambda self, *words: self._pool.submit(*words),
        "versions": lambda _: {},
        "units_run_again": property(lambda _: next(COUNT)),
    }


class TestEngineOfOneWorker(BrokenEngine):
    options: ClassVar = {"workers": 1}


def submit_nothing(*_):
    done = Future()
    done.set_result(BatchOutcome((), (), None))
    return done


class TestEngineWithoutErrors(BrokenEngine):
    changed: ClassVar = {"submit": submit_nothing}


class TestEngineThatEndsLargeWorkers(BrokenEngine):
    """Workers begin as loky has them, which ends those that have grown by 300 MB."""

    changed: ClassVar = {}

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def plain_workers(cls):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("optibench.backends.sklearn.backend._begin", worker_process.begin)
            yield
