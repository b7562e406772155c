"""XGBoost for regression: trees, hyperparameters and fit sharing as for classification."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.models.hyperparameters import Catalogue, Choice, Number
from optibench.models.xgboost import HYPERPARAMETERS as OF_CLASSES
from optibench.models.xgboost import XGBoost
from optibench.models.xgboost_distributed import DistributedXGBoost
from optibench.models.xgboost_fit_sharing import XGBoostFitSharing
from optibench.records import Prediction, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OBJECTIVES = (
    "reg:squarederror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:squaredlogerror",
    "reg:gamma",
    "reg:tweedie",
    "count:poisson",
)
HYPERPARAMETERS = replace(
    OF_CLASSES,
    model="xgboost_regression",
    specs={
        **{name: spec for name, spec in OF_CLASSES.specs.items() if name != "scale_pos_weight"},
        "objective": Choice(OBJECTIVES),
        "base_score": Number(none=True),
    },
)


@dataclass(frozen=True)
class XGBoostRegression(XGBoost):
    """Gradient-boosted trees that predict a number; accepts missing values and categories."""

    task: ClassVar[Task] = Task.REGRESSION
    catalogue: ClassVar[Catalogue] = HYPERPARAMETERS
    fit_sharing: ClassVar[XGBoostFitSharing] = XGBoostFitSharing(HYPERPARAMETERS)
    distributed_fit: ClassVar[DistributedXGBoost] = DistributedXGBoost(HYPERPARAMETERS)

    name: str = "xgboost_regression"

    def predict(self, estimator: Any, X: NDArray[np.float64]) -> Prediction:
        """Predict values, float32."""
        return Prediction(estimator.predict(X))
