"""XGBoost: gradient-boosted trees for classification, by its scikit-learn API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.errors import ConfigError
from optibench.models.classifier import most_probable
from optibench.models.hyperparameters import SET_HERE, Catalogue, Choice, Number, Tunable
from optibench.models.xgboost_distributed import DistributedXGBoost
from optibench.models.xgboost_fit_sharing import XGBoostFitSharing, make_estimator, with_count
from optibench.records import DataFacts, Params, Prediction, Task

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    from numpy.typing import NDArray

EARLY_STOPPING_SHARE = 0.1  # of the rows that an estimator is fitted on
COUNT = Number(low=1, whole=True, none=True)
FROM_ZERO = Number(low=0, none=True)
SHARE = Number(low=0, high=1, above_low=True, none=True)
PROBABILITY = Number(low=0, high=1, none=True)

# XGBoost only warns of an unknown name, so this list has every hyperparameter that is accepted.
HYPERPARAMETERS = Catalogue(
    model="xgboost",
    specs={
        "objective": Choice(("binary:logistic", "multi:softprob")),
        "n_estimators": COUNT,
        "booster": Choice(("gbtree", "dart", None)),
        "tree_method": Choice(("auto", "exact", "approx", "hist", None)),
        "grow_policy": Choice(("depthwise", "lossguide", None)),
        "max_depth": Number(low=0, whole=True, none=True),
        "max_leaves": Number(low=0, whole=True, none=True),
        "max_bin": Number(low=2, whole=True, none=True),
        "learning_rate": FROM_ZERO,
        "gamma": FROM_ZERO,
        "min_child_weight": FROM_ZERO,
        "max_delta_step": FROM_ZERO,
        "subsample": SHARE,
        "sampling_method": Choice(("uniform", None)),
        "colsample_bytree": SHARE,
        "colsample_bylevel": SHARE,
        "colsample_bynode": SHARE,
        "reg_alpha": FROM_ZERO,
        "reg_lambda": FROM_ZERO,
        "scale_pos_weight": FROM_ZERO,
        "base_score": PROBABILITY,
        "num_parallel_tree": COUNT,
        "max_cat_to_onehot": COUNT,
        "max_cat_threshold": COUNT,
        "sample_type": Choice(("uniform", "weighted")),
        "normalize_type": Choice(("tree", "forest")),
        "rate_drop": PROBABILITY,
        "one_drop": Choice((0, 1)),
        "skip_drop": PROBABILITY,
        "early_stopping_rounds": COUNT,
    },
    aliases={
        "eta": "learning_rate",
        "min_split_loss": "gamma",
        "alpha": "reg_alpha",
        "lambda": "reg_lambda",
        "num_boost_round": "n_estimators",
    },
    reserved={
        **SET_HERE,
        "nthread": "use backend.threads_per_trial=",
        "verbosity": "warnings would overwrite the progress bar",
        "silent": "warnings would overwrite the progress bar",
        "device": "all engines train on the CPU, so that they can be compared",
        "num_class": "it is the number of classes of the target column",
        "missing": "empty cells of the table are missing values",
        "enable_categorical": "name the columns in dataset.categorical=",
        "feature_types": "name the columns in dataset.categorical=",
        "eval_metric": "choose with evaluation.metric=",
        "callbacks": "a configuration contains no code",
    },
)


@dataclass(frozen=True)
class XGBoost(Tunable):
    """Gradient-boosted trees; accepts missing values and categories."""

    task: ClassVar[Task] = Task.CLASSIFICATION
    modules: ClassVar[tuple[str, ...]] = ("xgboost", "sklearn.metrics")
    libraries: ClassVar[tuple[str, ...]] = ("xgboost", "scikit-learn")
    accepts_missing: ClassVar[bool] = True
    accepts_categories: ClassVar[bool] = True
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    fit_sharing: ClassVar[XGBoostFitSharing] = XGBoostFitSharing(HYPERPARAMETERS)
    distributed_fit: ClassVar[DistributedXGBoost] = DistributedXGBoost(HYPERPARAMETERS)

    name: str = "xgboost"

    def check(self, params: Params) -> None:
        """Also refuse early stopping of dart.

        Raises:
            ConfigError: says which of the two to leave out.
        """
        super().check(params)
        if params.get("early_stopping_rounds") is not None and params.get("booster") == "dart":
            msg = (
                f"{self.catalogue.model}: early_stopping_rounds cannot be combined with "
                "booster=dart, whose later rounds change earlier trees; leave one of them out."
            )
            raise ConfigError(msg)

    def identity(self, params: Params) -> Hashable:
        """Return canonical names without null values, and the number of trees in any case."""
        return frozenset(with_count(self.catalogue.canonical(params)).items())

    def make(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Create an unfitted estimator: an `xgboost.XGBClassifier` for classes 0..n_classes-1.

        What `params` leaves out has XGBoost's own default. It is not written out here, because it
        depends on the data (base_score) or on other parameters (tree_method).
        """
        canonical = self.catalogue.canonical(params)
        return make_estimator(canonical, facts, seed=seed, threads=threads)

    def fit(
        self, estimator: Any, X: NDArray[np.float64], y: NDArray[Any] | None, *, seed: int
    ) -> Any:
        """Boost; with early_stopping_rounds a seeded tenth of the rows decides when to stop.

        These rows are stratified by class. They come from the rows given here, never from those
        that score the estimator. The estimator then predicts with the trees of the best round.
        """
        if estimator.early_stopping_rounds is None:
            return estimator.fit(X, y)
        import numpy as np
        from sklearn.model_selection import train_test_split

        fitted, watched = train_test_split(
            np.arange(len(X)),
            test_size=EARLY_STOPPING_SHARE,
            random_state=seed,
            stratify=y if self.task is Task.CLASSIFICATION else None,
        )
        watch = [(X[watched], y[watched])] if y is not None else None
        return estimator.fit(
            X[fitted], None if y is None else y[fitted], eval_set=watch, verbose=False
        )

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Predict probabilities once; the class is the most probable one, as in `predict`."""
        return most_probable(estimator.predict_proba(X))
