"""XGBoost: gradient-boosted trees for classification through the scikit-learn API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.models.hyperparameters import Catalogue, Choice, Number
from optibench.records import DataFacts, Params, Prediction, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BINARY = 2
COUNT = Number(low=1, whole=True, none=True)
FROM_ZERO = Number(low=0, none=True)
SHARE = Number(low=0, high=1, above_low=True, none=True)
PROBABILITY = Number(low=0, high=1, none=True)

# XGBoost takes an unknown name with a warning only, so the list must be complete for what is
# accepted.
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
    },
    aliases={
        "eta": "learning_rate",
        "min_split_loss": "gamma",
        "alpha": "reg_alpha",
        "lambda": "reg_lambda",
        "num_boost_round": "n_estimators",
    },
    reserved={
        "random_state": "use seed=",
        "seed": "use seed= at the top level",
        "n_jobs": "use backend.threads_per_trial=",
        "nthread": "use backend.threads_per_trial=",
        "verbosity": "warnings would go over the progress bar",
        "silent": "warnings would go over the progress bar",
        "device": "all engines train on the CPU, so that they can be compared",
        "num_class": "it is counted from the target column",
        "missing": "empty cells of the table are the missing values",
        "enable_categorical": "name the columns in dataset.categorical=",
        "feature_types": "name the columns in dataset.categorical=",
        "eval_metric": "choose with evaluation.metric=",
        "early_stopping_rounds": "no rows are set aside for it; search over n_estimators instead",
        "callbacks": "a configuration holds no code",
    },
)


@dataclass(frozen=True)
class XGBoost:
    """Gradient-boosted trees; takes missing values and categories."""

    task: ClassVar[Task] = Task.CLASSIFICATION
    modules: ClassVar[tuple[str, ...]] = ("xgboost", "sklearn.metrics")
    libraries: ClassVar[tuple[str, ...]] = ("xgboost", "scikit-learn")
    accepts_missing: ClassVar[bool] = True
    accepts_categories: ClassVar[bool] = True

    name: str = "xgboost"
    params: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)

    def check(self, params: Params) -> None:
        """Refuse an unknown hyperparameter or a value that is not allowed.

        Raises:
            ConfigError: told with the nearest known names, or what is allowed.
        """
        HYPERPARAMETERS.check(params)

    def estimator(self, params: Params, facts: DataFacts, *, seed: int, threads: int) -> Any:
        """Make an unfitted `xgboost.XGBClassifier` for classes 0..n_classes-1.

        What `params` leaves out has XGBoost's own default, which depends on the data (base_score)
        or on other parameters (tree_method), and is therefore not written out here.
        """
        from xgboost import XGBClassifier

        objective = "multi:softprob" if facts.n_classes > BINARY else "binary:logistic"
        types = None if facts.feature_types is None else list(facts.feature_types)
        return XGBClassifier(
            **{"objective": objective, **HYPERPARAMETERS.canonical(params)},
            random_state=seed,
            n_jobs=threads,
            verbosity=0,
            enable_categorical=types is not None,
            feature_types=types,
        )

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Ask for the probabilities once; the class is the most probable, as `predict` says."""
        probabilities = estimator.predict_proba(X)
        return Prediction(probabilities.argmax(axis=1).astype("int64"), probabilities)


PLUGIN = XGBoost
