"""Any estimator with scikit-learn's interface, by its import path."""

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
    """The class that `model.estimator` names; its own defaults apply to what `params` leaves out.

    Attributes:
        estimator: the import path, e.g. sklearn.ensemble.ExtraTreesClassifier. The module may be
            a file in the working directory.
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
        """Return the task that the estimator declares (`__sklearn_tags__`).

        Raises:
            ConfigError: the estimator cannot be imported or created, or is neither classifier,
                regressor nor clusterer.
        """
        return _task(self.estimator, self._example)

    @property
    def modules(self) -> tuple[str, ...]:
        """Return the estimator's module and that of the metrics."""
        return (_load(self.estimator).__module__, "sklearn.metrics")

    @property
    def libraries(self) -> tuple[str, ...]:
        """Return the distributions that provide the package; none for a file of the user."""
        package = _load(self.estimator).__module__.partition(".")[0]
        return tuple(dict.fromkeys(packages_distributions().get(package, ())))

    @property
    def accepts_missing(self) -> bool:
        """Return what the estimator declares about missing values."""
        return bool(_tags(self._example).input_tags.allow_nan)

    def check(self, params: Params) -> None:
        """Refuse a hyperparameter that the estimator does not have.

        The estimator itself checks the values: a trial with a wrong value fails with its message.

        Raises:
            ConfigError: names the unknown hyperparameter and the nearest known ones.
        """
        known = set(self._example.get_params()) - set(SET_HERE)
        for name in params:
            refuse_unknown(self.name, name, sorted(known), SET_HERE)

    def identity(self, params: Params) -> Hashable:
        """Return every hyperparameter; those that `params` leaves out have their defaults."""
        full = {**self._example.get_params(), **params}
        return frozenset((name, repr(value)) for name, value in full.items())

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Create the unfitted estimator, with seed and threads if it has parameters for them."""
        del facts
        set_here = {"random_state": seed, "seed": seed, "n_jobs": threads}
        known = self._example.get_params()
        given = {name: value for name, value in set_here.items() if name in known}
        return _load(self.estimator)(**{**params, **given})

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Fit the estimator on a copy of the rows; `seed` has no effect.

        The estimator may write to its rows (`copy_X=False`), and other trials share them.
        """
        del seed
        return estimator.fit(X.copy()) if y is None else estimator.fit(X.copy(), y.copy())

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Predict classes and their probabilities, values, or clusters.

        Each call of the estimator gets a copy of the rows.
        """
        answers = estimator.predict(X.copy())
        if self.task is Task.REGRESSION:
            return Prediction(answers.reshape(len(X)))
        labels = answers.astype("int64")
        if self.task is Task.CLASSIFICATION:
            return Prediction(labels, estimator.predict_proba(X.copy()))
        # If there is an inertia, `score` returns its negative, as in scikit-learn's K-means.
        inertia = -float(estimator.score(X.copy())) if hasattr(estimator, "inertia_") else None
        return Prediction(labels, inertia=inertia)

    @property
    def _example(self) -> Any:
        """Create an estimator with the fixed hyperparameters, which some classes require."""
        kind = _load(self.estimator)
        try:
            return kind(**self.params)
        except TypeError as error:
            msg = (
                f"model.estimator={self.estimator} cannot be created with model.params="
                f"{self.params}: {error}. Set what it needs, e.g. model.params.<name>=<value>."
            )
            raise ConfigError(msg) from error


@functools.cache
def _load(path: str | None) -> type[Any]:
    """Import the class at a path; the working directory is searched as well."""
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
            f"model.estimator={path} cannot be imported: {error}. Give module.Class, where the "
            "module is in an installed package or a file in the working directory."
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
            f"{kind} needs {', '.join(NEEDED[task])}."
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
