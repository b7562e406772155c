"""The conformance suite of models."""

from __future__ import annotations

import importlib
from dataclasses import is_dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle
import numpy as np
import pytest

from optibench.datasets.encoding import data_facts, encode
from optibench.errors import ConfigError
from optibench.records import Prediction, Task
from optibench.testing.plugins import check_plugin, global_random_seed
from optibench.testing.reference import expected_scores
from optibench.testing.runs import EngineUser, Plugins, configured, engine_words, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from optibench.contracts import Model
    from optibench.records import Dataset, Params

CHECKED_ROWS = 40
UNKNOWN = "no_such_hyperparameter"


class ModelSuite(EngineUser):
    """What every model does. Derive from it and override the fixture `model`.

    Attributes:
        space: two values or more of each of some hyperparameters, whose fits are quick; each
            combination is a candidate. The first and the last one differ as estimators.
        overrides: needed to configure the model from the command line.
    """

    space: ClassVar[Mapping[str, Sequence[Any]]]
    overrides: ClassVar[Sequence[str]] = ()

    @pytest.fixture
    def model(self) -> Model:
        """Return the model as configured."""
        msg = f"{type(self).__name__} overrides the fixture `model`"
        raise NotImplementedError(msg)

    @pytest.fixture(params=["sklearn"])
    def backend(self, request: pytest.FixtureRequest) -> str:
        """Return the name of each backend that the model is tuned on; override it for more."""
        return str(request.param)

    @pytest.fixture
    def dataset(self, model: Model) -> Dataset:
        """Return the table that the model is fitted on, encoded."""
        config = configured(Plugins(), model.task)
        return encode(config.dataset.load(0), model.task)

    def test_it_is_found_by_its_name(self, model: Model) -> None:
        """It is a frozen dataclass, with the fields `name`, `params` and `space`."""
        check_plugin("model", model, self.overrides)
        assert {"name", "params", "space"} <= vars(model).keys()

    def test_it_takes_its_hyperparameters_and_refuses_unknown_ones(self, model: Model) -> None:
        """A refusal names the hyperparameter."""
        for params in self._candidates(model):
            model.check(params)
        with pytest.raises(ConfigError, match=UNKNOWN):
            model.check({**model.params, UNKNOWN: 1})

    def test_its_identity_tells_estimators_apart(self, model: Model) -> None:
        """It is hashable, and does not depend on the order of the hyperparameters."""
        first, *_, last = self._candidates(model)
        turned = {name: first[name] for name in reversed(list(first))}
        assert hash(model.identity(first)) == hash(model.identity(turned))
        assert model.identity(first) == model.identity(turned)
        assert model.identity(first) != model.identity(last)

    def test_workers_can_import_its_modules_and_its_libraries_are_installed(
        self, model: Model
    ) -> None:
        """Modules are imported before the search; libraries are named in the logged model."""
        for module in model.modules:
            importlib.import_module(module)
        for library in model.libraries:
            assert version(library)

    def test_its_predictions_are_those_of_its_task(self, model: Model, dataset: Dataset) -> None:
        """Rows are read-only, as workers map them; of classes there are probabilities."""
        prediction = self._predicted(model, dataset, self._candidates(model)[0])
        assert prediction.labels.shape == (CHECKED_ROWS,)
        check_prediction(model.task, prediction, len(dataset.classes))

    def test_the_same_seed_gives_the_same_predictions(
        self, model: Model, dataset: Dataset
    ) -> None:
        """To the last bit, whatever NumPy's global random numbers are."""
        predictions = []
        for seed in (1, 2):
            with global_random_seed(seed):
                predictions.append(self._predicted(model, dataset, self._candidates(model)[-1]))
        assert are_equal(*predictions)

    def test_it_travels_to_workers(self, model: Model, dataset: Dataset) -> None:
        """A copy that was sent to another process does the same."""
        sent: Model = cloudpickle.loads(cloudpickle.dumps(model))
        params = self._candidates(model)[0]
        assert sent.identity(params) == model.identity(params)
        assert are_equal(
            self._predicted(sent, dataset, params), self._predicted(model, dataset, params)
        )

    def test_it_learns_from_missing_values_where_it_says_so(
        self, model: Model, dataset: Dataset
    ) -> None:
        """A model that does not accept them is not asked."""
        if model.accepts_missing:
            X = dataset.X.copy()
            X[::5, 0] = np.nan
            gappy = replace(dataset, X=X)
            prediction = self._predicted(model, gappy, self._candidates(model)[0])
            check_prediction(model.task, prediction, len(dataset.classes))

    def test_trials_have_the_scores_of_plain_fits(self, model: Model, backend: str) -> None:
        """To the last bit, whether candidates share fits or not."""
        assert is_dataclass(model)
        tuned = replace(model, space=dict(self.space))
        candidates = self._candidates(model)
        words = [*engine_words(backend), "search=grid"]
        for reuse in ("true", "false") if model.fit_sharing is not None else ("true",):
            config = configured(
                Plugins(model=tuned), model.task, [*words, f"search.reuse={reuse}"]
            )
            result, _ = run(config)
            assert {trial.error for trial in result.trials} == {None}
            found = {(t.candidate, t.fold): dict(t.scores) for t in result.trials}
            expected = expected_scores(config, candidates)
            assert found.keys() == expected.keys()
            for place, scores in expected.items():
                assert {name: found[place][name] for name in scores} == scores

    def _candidates(self, model: Model) -> list[Params]:
        """Return every point of the space in the order of a grid, on top of what is fixed."""
        from sklearn.model_selection import ParameterGrid

        return [{**model.params, **point} for point in ParameterGrid(dict(self.space))]

    def _predicted(self, model: Model, dataset: Dataset, params: Params) -> Prediction:
        """Fit on all rows but the last ones, which it is asked about."""
        X, y = read_only(dataset.X), None if dataset.y is None else read_only(dataset.y)
        unfitted = model.make(params, data_facts(dataset), seed=3, threads=1)
        target = None if y is None else y[:-CHECKED_ROWS]
        estimator = model.fit(unfitted, X[:-CHECKED_ROWS], target, seed=3)
        return model.predict(estimator, X[-CHECKED_ROWS:])


def check_prediction(task: Task, prediction: Prediction, n_classes: int) -> None:
    """Check the types and the ranges of what a model says of some rows."""
    labels, chances = prediction.labels, prediction.probabilities
    if task is Task.REGRESSION:
        assert np.isfinite(labels).all()
        return
    assert labels.dtype == np.int64, f"labels are codes of int64, these are {labels.dtype}"
    assert labels.min() >= 0
    if task is Task.CLUSTERING:
        assert prediction.inertia is None or prediction.inertia >= 0
        return
    assert labels.max() < n_classes
    assert chances is not None, "classification needs probabilities"
    assert chances.shape == (len(labels), n_classes)
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-5)
    assert chances.min() >= 0


def are_equal(first: Prediction, second: Prediction) -> bool:
    """Return True where two predictions are the same to the last bit."""
    same = np.array_equal(first.labels, second.labels) and first.inertia == second.inertia
    if first.probabilities is None or second.probabilities is None:
        return same and first.probabilities is second.probabilities
    return same and np.array_equal(first.probabilities, second.probabilities)


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to."""
    view = values.view()
    view.flags.writeable = False
    return view
