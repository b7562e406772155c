"""Every built-in model does what the conformance suite says."""

import pytest

from optibench.models.estimator import ImportedEstimator
from optibench.models.kmeans import KMeans
from optibench.models.logistic_regression import LogisticRegression
from optibench.models.random_forest import RandomForest
from optibench.models.xgboost import XGBoost
from optibench.models.xgboost_regression import XGBoostRegression
from optibench.testing import ModelSuite

FOREST = "sklearn.ensemble.ExtraTreesClassifier"
SPACES = {
    "estimator": {"max_depth": [1, 3], "n_estimators": [5]},
    "kmeans": {"n_clusters": [2, 3], "n_init": [1, 2]},
    "logistic_regression": {"C": [0.1, 1.0], "class_weight": [None, "balanced"]},
    "random_forest": {"max_depth": [1, 3], "n_estimators": [5]},
    "xgboost": {"max_depth": [1, 3], "n_estimators": [3, 6]},
    "xgboost_regression": {"max_depth": [1, 3], "n_estimators": [3, 6]},
}
MODELS = (
    ImportedEstimator(estimator=FOREST),
    KMeans(),
    LogisticRegression(),
    RandomForest(),
    XGBoost(),
    XGBoostRegression(),
)


@pytest.mark.shared_engine
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name, indirect=True)
class TestModels(ModelSuite):
    @pytest.fixture(autouse=True)
    def model(self, request):
        self.space = SPACES[request.param.name]
        return request.param

    @classmethod
    def teardown_class(cls):
        """The engine stays up for other tests."""
