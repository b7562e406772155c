"""Trees that predict a number are trained like trees that predict a class."""

from optibench.backends.dask.xgboost import TRAINER

__all__ = ["TRAINER"]
