"""Random forest: scikit-learn's RandomForestClassifier with every default explicit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.errors import ConfigError
from optibench.models.classifier import Classifier, most_probable
from optibench.models.hyperparameters import SET_HERE, Catalogue, Choice, CountOrShare, Number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from optibench.records import DataFacts, Params, Prediction

FROM_ZERO = Number(low=0)

HYPERPARAMETERS = Catalogue(
    model="random_forest",
    specs={
        "n_estimators": Number(low=1, whole=True),
        "criterion": Choice(("gini", "entropy", "log_loss")),
        "max_depth": Number(low=1, whole=True, none=True),
        "min_samples_split": CountOrShare(low=2),
        "min_samples_leaf": CountOrShare(low=1, below_one=True),
        "min_weight_fraction_leaf": Number(low=0, high=0.5),
        "max_features": CountOrShare(low=1, words=("sqrt", "log2"), none=True),
        "max_leaf_nodes": Number(low=2, whole=True, none=True),
        "min_impurity_decrease": FROM_ZERO,
        "bootstrap": Choice((True, False)),
        "max_samples": CountOrShare(low=1, none=True),
        "class_weight": Choice(("balanced", "balanced_subsample", None)),
        "ccp_alpha": FROM_ZERO,
    },
    aliases={},
    reserved={
        **SET_HERE,
        "verbose": "OptiBench reports progress; use progress=",
        "warm_start": "each candidate is fitted from scratch",
        "monotonic_cst": "it depends on the position of each feature; leave it out",
        "oob_score": "candidates are scored on the folds of evaluation.folds=",
    },
)


@dataclass(frozen=True)
class RandomForest(Classifier):
    """A forest of randomised trees; accepts missing values."""

    modules: ClassVar[tuple[str, ...]] = ("sklearn.ensemble", "sklearn.metrics")
    accepts_missing: ClassVar[bool] = True
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    defaults: ClassVar[dict[str, Any]] = {
        "n_estimators": 100,
        "criterion": "gini",
        "max_depth": None,
        "min_samples_split": 2,
        "min_samples_leaf": 1,
        "min_weight_fraction_leaf": 0.0,
        "max_features": "sqrt",
        "max_leaf_nodes": None,
        "min_impurity_decrease": 0.0,
        "bootstrap": True,
        "max_samples": None,
        "class_weight": None,
        "ccp_alpha": 0.0,
    }

    name: str = "random_forest"

    def check(self, params: Params) -> None:
        """Also refuse `max_samples` without a bootstrap, as scikit-learn does.

        Raises:
            ConfigError: says which of the two to leave out.
        """
        super().check(params)
        full = {**self.defaults, **params}
        if full["max_samples"] is not None and not full["bootstrap"]:
            msg = (
                "random_forest: max_samples is the number of rows that a bootstrap draws, and "
                "bootstrap=false draws none; leave one of them out."
            )
            raise ConfigError(msg)

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Create an unfitted `sklearn.ensemble.RandomForestClassifier`."""
        del facts
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            **{**self.defaults, **params}, random_state=seed, n_jobs=threads
        )

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Grow the trees on all threads of the trial, then set the estimator to one thread.

        Predictions sum over the trees, and rounding depends on the order in which threads add.
        """
        fitted = super().fit(estimator, X, y, seed=seed)
        return fitted.set_params(n_jobs=1)

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Predict probabilities once; the class is the most probable one, as in `predict`."""
        return most_probable(estimator.predict_proba(X))
