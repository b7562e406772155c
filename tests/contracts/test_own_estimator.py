"""A class in a file of the user's runs on every backend, and its model goes without the file."""

import subprocess
import sys

import mlflow
import pytest
from tests.engines import run

import optibench
from optibench.models.estimator import _load

MINE = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Threshold(ClassifierMixin, BaseEstimator):
    def __init__(self, column=1, at=100.0):
        self.column, self.at = column, at

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        above = X[:, self.column] > self.at
        self.share_ = [y[~above].mean(), y[above].mean()]
        return self

    def predict_proba(self, X):
        chance = np.where(X[:, self.column] > self.at, self.share_[1], self.share_[0])
        return np.stack([1 - chance, chance], axis=1)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)
"""
LOAD = """
import sys, mlflow
sys.modules["optibench"] = None
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
print(model.predict(model.input_example).tolist())
"""
WORDS = [
    "model=estimator",
    "model.estimator=my_own_models.Threshold",
    "model.space.column=[1,5]",
    "model.space.at=[30.0,120.0,150.0]",
    "progress=false",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the user's file in it."""
    (tmp_path / "my_own_models.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("my_own_models", None)
    _load.cache_clear()


@pytest.mark.usefixtures("folder")
def test_a_class_of_the_working_directory_is_tuned(backend):
    result, _ = run(*WORDS, f"backend={backend}", "backend.workers=1")
    assert len(result.trials) == 30
    assert {trial.error for trial in result.trials} == {None}
    assert result.best_params == {"column": 1, "at": 150.0}  # glucose, in milligrams


@pytest.mark.slow
def test_the_model_of_a_class_of_the_working_directory_travels(folder):
    """The driver fits and logs it, whatever the backend."""
    fixed = ["search=none", "model.params.column=1", "model.params.at=150.0"]
    result = optibench.run([*WORDS[:2], *fixed, "progress=false", "backend.workers=1"])
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    uri = f"sqlite:///{folder}/mlruns/mlflow.db"
    client = mlflow.MlflowClient(uri)
    output = client.get_run(result.run_id).outputs.model_outputs[0]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, f"models:/{output.model_id}"],
        cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.strip()) <= set("[0, 1]")
