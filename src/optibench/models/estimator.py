"""Any estimator with the interface of scikit-learn, by its import path."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.errors import ConfigError
from optibench.models.hyperparameters import SET_HERE, refuse_unknown
from optibench.records import DataFacts, Params, Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray

TASKS = {
    "classifier": Task.CLASSIFICATION,
    "regressor": Task.REGRESSION,
    "clusterer": Task.CLUSTERING,
}
NEEDED = {
    Task.CLASSIFICATION: ("fit", "predict", "predict_proba"),
    Task.REGRESSION: ("fit", "predict"),
    Task.CLUSTERING: ("fit", "predict"),
}


@dataclass(frozen=True)
class ImportedEstimator:
    """A class that is named by `model.estimator`; its own defaults hold where nothing is given.

    Attributes:
        estimator: the import path, e.g. sklearn.ensemble.ExtraTreesClassifier; a module in the
            working directory will do.
    """

    accepts_categories: ClassVar[bool] = False
    fit_sharing: ClassVar[None] = None
    distributed_fit: ClassVar[None] = None

    name: str = "estimator"
    estimator: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def task(self) -> Task:
        """By what the estimator says of itself (`__sklearn_tags__`).

        Raises:
            ConfigError: it cannot be imported or made, or is neither classifier, regressor nor
                clusterer.
        """
        return _task(self.estimator, self._example)

    @property
    def modules(self) -> tuple[str, ...]:
        """The estimator's own module."""
        return (_load(self.estimator).__module__, "sklearn.metrics")

    @property
    def libraries(self) -> tuple[str, ...]:
        """The distributions that its package comes with; none for a module of the user's."""
        package = _load(self.estimator).__module__.partition(".")[0]
        return tuple(dict.fromkeys(packages_distributions().get(package, ())))

    @property
    def accepts_missing(self) -> bool:
        """By what the estimator says of itself."""
        return bool(_tags(self._example).input_tags.allow_nan)

    def check(self, params: Params) -> None:
        """Refuse a hyperparameter that the estimator does not have.

        Its values are checked by the estimator itself: a trial with a wrong one fails and says so.

        Raises:
            ConfigError: told with the nearest known names.
        """
        known = set(self._example.get_params()) - set(SET_HERE)
        for name in params:
            refuse_unknown(self.name, name, sorted(known), SET_HERE)

    def identity(self, params: Params) -> Hashable:
        """Every hyperparameter, those left out with their defaults."""
        full = {**self._example.get_params(), **params}
        return frozenset((name, repr(value)) for name, value in full.items())

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make the unfitted estimator, with the seed and the threads where it takes any."""
        del facts
        set_here = {"random_state": seed, "seed": seed, "n_jobs": threads}
        known = self._example.get_params()
        given = {name: value for name, value in set_here.items() if name in known}
        return _load(self.estimator)(**{**params, **given})

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit it on a copy: it may write into its rows (`copy_X=False`), which others see, too.

        Nothing is drawn here, so that `seed` changes nothing.
        """
        del seed
        return estimator.fit(X.copy()) if y is None else estimator.fit(X.copy(), y.copy())

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Ask it for classes and their probabilities, for values, or for clusters.

        Each question gets a copy of the rows.
        """
        answers = estimator.predict(X.copy())
        if self.task is Task.REGRESSION:
            return Prediction(answers.reshape(len(X)))
        labels = answers.astype("int64")
        if self.task is Task.CLASSIFICATION:
            return Prediction(labels, estimator.predict_proba(X.copy()))
        # `score` is minus the inertia where there is one, as in scikit-learn's own K-means.
        inertia = -float(estimator.score(X.copy())) if hasattr(estimator, "inertia_") else None
        return Prediction(labels, inertia=inertia)

    @property
    def _example(self) -> Any:
        """One with the fixed hyperparameters, without which some cannot be made."""
        kind = _load(self.estimator)
        try:
            return kind(**self.params)
        except TypeError as error:
            msg = (
                f"model.estimator={self.estimator} cannot be made with model.params="
                f"{self.params}: {error}. Give what it needs, e.g. model.params.<name>=<value>."
            )
            raise ConfigError(msg) from error


@functools.cache
def _load(path: str | None) -> type[Any]:
    """The class at an import path, looked for in the working directory as well."""
    module, _, name = (path or "").rpartition(".")
    if not module:
        msg = (
            f"model.estimator={path}: give the import path of a class with scikit-learn's "
            "interface, e.g. model.estimator=sklearn.ensemble.ExtraTreesClassifier."
        )
        raise ConfigError(msg)
    if os.getcwd() not in sys.path:  # noqa: PTH109 - entries of sys.path are text
        sys.path.append(os.getcwd())  # noqa: PTH109
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        msg = (
            f"model.estimator={path} cannot be imported: {error}. It is module.Class, of an "
            "installed package or of a file in the working directory."
        )
        raise ConfigError(msg) from error
    if not isinstance(found, type):
        msg = f"model.estimator={path} is {found!r}; a class is needed."
        raise ConfigError(msg)
    return found


def _task(path: str | None, example: Any) -> Task:
    kind = _tags(example).estimator_type
    task = TASKS.get(str(kind))
    if task is None:
        msg = f"model.estimator={path} is a {kind}; allowed are {', '.join(TASKS)}."
        raise ConfigError(msg)
    lacking = [name for name in NEEDED[task] if not hasattr(example, name)]
    if lacking:
        msg = (
            f"model.estimator={path} with these model.params has no {' and no '.join(lacking)}: a "
            f"{kind} is asked for {', '.join(NEEDED[task])}."
        )
        raise ConfigError(msg)
    return task


def _tags(example: Any) -> Any:
    from sklearn.utils import get_tags

    try:
        return get_tags(example)
    except (AttributeError, TypeError) as error:
        msg = (
            f"{type(example).__name__} does not have scikit-learn's interface ({error}): derive "
            "it from sklearn.base.BaseEstimator and one of its mixins."
        )
        raise ConfigError(msg) from error
