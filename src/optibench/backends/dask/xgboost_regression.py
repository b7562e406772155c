"""Trees that predict a number are trained as those that predict a class."""

from optibench.backends.dask.xgboost import TRAINER

__all__ = ["TRAINER"]
