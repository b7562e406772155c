"""Trees that predict a number are trained like trees that predict a class."""

from optibench.backends.spark.xgboost import TRAINER

__all__ = ["TRAINER"]
