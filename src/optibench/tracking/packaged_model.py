"""The code of a logged model: stored with the model, and run where OptiBench is not installed.

It may import numpy, pandas and the model's library, but neither OptiBench nor MLflow. The files of
a model are `model.json` (how to encode raw columns and decode labels), `scaler.pkl` if the data
was scaled, and the native model: `model.ubj` (XGBoost) or `model.pkl` (scikit-learn).
"""

from __future__ import annotations

import importlib
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class PackagedModel:
    """Scaler, native model and labels; predicts original labels from raw features."""

    def __init__(self, facts: Mapping[str, Any], scaler: Any | None, estimator: Any) -> None:
        self.facts = facts
        self.scaler = scaler
        self.estimator = estimator
        self._codes = {
            name: {label: code for code, label in enumerate(labels)}
            for name, labels in facts["categories"].items()
        }

    def predict(
        self, data: pd.DataFrame, params: Mapping[str, bool] | None = None
    ) -> NDArray[Any] | pd.DataFrame:
        """Predict labels, clusters, values or probabilities for rows of raw features.

        Args:
            data: one column per feature, selected by name. Missing values are allowed if the model
                was trained with them; a category that was not in the training data counts as
                missing.
            params: `{"probabilities": True}` makes a classifier return probabilities instead of
                labels.

        Returns:
            (n,) class labels as in the original table, cluster numbers, or predicted values; or a
            DataFrame with one column of probabilities per class.

        Raises:
            ValueError: a feature is missing or not a number, or probabilities were requested of a
                model without classes.
        """
        matrix = self._matrix(data)
        classes = self.facts["classes"]
        if params and params.get("probabilities"):
            if not classes:
                message = "this model has no classes and therefore no class probabilities"
                raise ValueError(message)
            columns = [str(label) for label in classes]
            return pd.DataFrame(
                self.estimator.predict_proba(matrix), columns=columns, index=data.index
            )
        answers = np.asarray(self.estimator.predict(matrix))
        if self.facts["task"] == "regression":
            return answers.astype(np.float64)
        codes = answers.astype(np.int64)
        return _labels(classes)[codes] if classes else codes

    def _matrix(self, data: pd.DataFrame) -> NDArray[np.float64]:
        """Encode to (n_samples, n_features) float64, in the columns and codes of the training."""
        names = self.facts["features"]
        if missing := [name for name in names if name not in data.columns]:
            message = f"missing features: {', '.join(missing)}"
            raise ValueError(message)
        columns = [self._column(name, data[name]) for name in names]
        matrix = np.column_stack(columns) if columns else np.empty((len(data), 0))
        return matrix if self.scaler is None else np.asarray(self.scaler.transform(matrix))

    def _column(self, name: str, column: pd.Series[Any]) -> NDArray[np.float64]:
        codes = self._codes.get(name)
        if codes is not None:
            return np.array([_code(value, codes) for value in column], dtype=np.float64)
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)


def _code(value: Any, codes: Mapping[str, int]) -> float:
    """Return a category's code; 3.0 means '3', since a missing value turns integers to floats."""
    if pd.isna(value):
        return float("nan")
    code = codes.get(str(value))
    if code is None and isinstance(value, (float, np.floating)) and float(value).is_integer():
        code = codes.get(str(int(value)))
    return float("nan") if code is None else float(code)


def _labels(classes: list[Any]) -> NDArray[Any]:
    """Return the labels as an array indexed by code; text stays Python text."""
    plain = all(isinstance(label, (bool, int, float)) for label in classes)
    return np.array(classes, dtype=None if plain else object)


def _load_pyfunc(data_path: str) -> PackagedModel:
    """Load the files below `data_path`; MLflow finds this function by its name."""
    folder = Path(data_path)
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    # Imported by name, because only the model's own library has to be installed.
    if facts["format"] == "xgboost":
        estimator = getattr(importlib.import_module("xgboost"), facts["class"])()
        estimator.load_model(folder / "model.ubj")
    else:
        estimator = _unpickled(folder / "model.pkl")
    scaler = folder / "scaler.pkl"
    return PackagedModel(facts, _unpickled(scaler) if scaler.exists() else None, estimator)


def _unpickled(path: Path) -> Any:
    return pickle.loads(path.read_bytes())  # noqa: S301  (as trusted as this code, which is stored with it)
