"""A logged model answers as the estimator does, where OptiBench cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from mlflow.models import Model
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from optibench.records import FittedModel, RunHeader, Status, Task
from optibench.tracking import MlflowTracker, Store
from optibench.tracking.model import write_parts
from optibench.tracking.packaged_model import _load_pyfunc

LOADED = """
import sys
sys.modules["optibench"] = None  # importing it raises ImportError, as if it were not installed
import json, mlflow, pandas as pd
answers = {}
for name, job in json.load(open(sys.argv[1])).items():
    model = mlflow.pyfunc.load_model(job["uri"])
    frame = pd.read_parquet(job["rows"])
    answer = {"labels": list(model.predict(frame)), "type": str(type(model.predict(frame)[0]))}
    if job["classes"]:
        chances = model.predict(frame, params={"probabilities": True})
        answer |= {"columns": list(chances.columns), "chances": chances.to_numpy().tolist()}
    answers[name] = answer
json.dump(answers, open(sys.argv[2], "w"), default=lambda value: value.item())
"""


@dataclass
class Case:
    """A model to log, raw rows to ask about and what the estimator itself says."""

    model: FittedModel
    rows: pd.DataFrame
    labels: list[Any]
    chances: np.ndarray | None


def classifier(
    frame: pd.DataFrame,
    y: np.ndarray,
    classes: tuple[Any, ...],
    categories: dict[str, tuple[str, ...]],
) -> Case:
    """Fit on the coded matrix; ask about rows with gaps and an unseen category."""
    types = ["c" if name in categories else "q" for name in frame.columns]
    estimator = XGBClassifier(
        n_estimators=15,
        max_depth=3,
        feature_types=types,
        enable_categorical=True,
        n_jobs=1,
        random_state=0,
    )
    estimator.fit(coded(frame, categories), y)
    rows = frame.copy()
    rows.iloc[3:9, 0] = None
    if categories:
        rows.iloc[10, rows.columns.get_loc("colour")] = "never seen"
    X = coded(rows, categories)
    labels = [classes[code] for code in estimator.predict(X)]
    model = FittedModel(
        Task.CLASSIFICATION, estimator, None, classes, tuple(frame.columns), categories,
        frame.head(3), ("xgboost", "scikit-learn"),
    )  # fmt: skip
    return Case(model, rows, labels, estimator.predict_proba(X))


def coded(frame: pd.DataFrame, categories: dict[str, tuple[str, ...]]) -> np.ndarray:
    columns = [
        frame[name]
        .map({label: float(code) for code, label in enumerate(categories[name])})
        .to_numpy(dtype=float)
        if name in categories
        else frame[name].to_numpy(dtype=float)
        for name in frame.columns
    ]
    return np.column_stack(columns)


def cases() -> dict[str, Case]:
    cancer, wine = load_breast_cancer(as_frame=True), load_wine(as_frame=True)
    two, three = cancer.data.iloc[:, :5], wine.data
    colours = pd.DataFrame(
        {
            "n": np.arange(200) % 17,
            "colour": np.array(["red", "green", 'ünï, "b"'])[np.arange(200) % 3],
        }
    )
    y = ((colours["n"] > 8) ^ (colours["colour"] == "red")).to_numpy().astype(int)
    scaler = StandardScaler().fit(three.to_numpy())
    X = scaler.transform(three.to_numpy())
    clusters = KMeans(3, n_init=2, random_state=0).fit(X)
    kmeans = FittedModel(
        Task.CLUSTERING, clusters, scaler, (), tuple(three.columns), {},
        three.head(3), ("scikit-learn",),
    )  # fmt: skip
    progress = load_diabetes(as_frame=True)
    trees = XGBRegressor(n_estimators=5).fit(progress.data.to_numpy(), progress.target)
    regression = FittedModel(
        Task.REGRESSION, trees, None, (), tuple(progress.data.columns), {},
        progress.data.head(3), ("xgboost", "scikit-learn"),
    )  # fmt: skip
    predicted = trees.predict(progress.data.to_numpy()).astype(float)
    return {
        "text labels": classifier(two, cancer.target.to_numpy(), ("benign", "malignant"), {}),
        "three classes": classifier(
            three, wine.target.to_numpy(), (np.int64(0), np.int64(1), np.int64(2)), {}
        ),
        "labels 5 and 9": classifier(two, cancer.target.to_numpy(), (5, 9), {}),
        "text category": classifier(
            colours, y, (False, True), {"colour": ("green", "red", 'ünï, "b"')}
        ),
        "kmeans": Case(kmeans, three, list(clusters.predict(X)), None),
        "regression": Case(regression, progress.data, list(predicted), None),
    }


@pytest.fixture(scope="module")
def answers(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Case, Any]]:
    """Log every case, then load and ask all of them in one fresh process."""
    folder, jobs, known = tmp_path_factory.mktemp("models"), {}, cases()
    for number, (name, case) in enumerate(known.items()):
        tracker = MlflowTracker(store, "models")
        run_id = tracker.start(RunHeader(name, {}, {}, toy(), time.time()))
        tracker.log_model(case.model)
        tracker.end(Status.FINISHED)
        rows = folder / f"{number}.parquet"
        case.rows.to_parquet(rows)
        jobs[name] = {
            "uri": f"runs:/{run_id}/model",
            "rows": str(rows),
            "classes": len(case.model.classes),
        }
    (folder / "jobs.json").write_text(json.dumps(jobs))
    loaded = run_elsewhere(store, folder)
    return {name: (case, loaded[name]) for name, case in known.items()}


def run_elsewhere(store: Store, folder: Path) -> Any:
    command = [
        sys.executable,
        "-c",
        LOADED,
        str(folder / "jobs.json"),
        str(folder / "answers.json"),
    ]
    environment = {
        "MLFLOW_TRACKING_URI": store.uri,
        "PATH": "/usr/bin:/bin",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answers.json").read_text())


def toy() -> Any:
    from optibench.records import Dataset

    return Dataset("toy", np.zeros((1, 1)), None, ("a",), (), {}, "builtin:toy", "0" * 64)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["text labels", "three classes", "labels 5 and 9", "text category", "kmeans", "regression"],
)
def test_the_loaded_model_says_what_the_estimator_says(
    answers: dict[str, tuple[Case, Any]], name: str
) -> None:
    case, answer = answers[name]
    assert answer["labels"] == case.labels
    if case.chances is not None:
        assert answer["columns"] == [str(label) for label in case.model.classes]
        np.testing.assert_array_equal(np.array(answer["chances"], dtype=np.float32), case.chances)


@pytest.mark.slow
def test_labels_come_back_in_their_own_type(answers: dict[str, tuple[Case, Any]]) -> None:
    assert "str" in answers["text labels"][1]["type"]
    assert "int" in answers["labels 5 and 9"][1]["type"]
    assert "bool" in answers["text category"][1]["type"]


def test_the_model_has_signature_example_exact_versions_and_costs_little(store: Store) -> None:
    case = cases()["text category"]
    tracker = MlflowTracker(store, "models")
    run_id = tracker.start(RunHeader("costs", {}, {}, toy(), time.time()))
    tracker.log_model(case.model)
    begun = time.perf_counter()
    tracker.log_model(case.model)
    assert time.perf_counter() - begun < 0.6  # 0.1 s on a quiet machine
    output = store.client().get_run(run_id).outputs.model_outputs[0]
    location = store.client().get_logged_model(output.model_id).artifact_location
    path = Path(unquote(urlsplit(location).path))
    model = Model.load(str(path))
    assert model.signature.inputs.input_names() == ["n", "colour"]
    assert [spec.name for spec in model.signature.params] == ["probabilities"]
    pd.testing.assert_frame_equal(
        model.load_input_example(str(path)), case.model.sample, check_dtype=False
    )
    pins = (path / "requirements.txt").read_text().split()
    assert {pin.split("==")[0] for pin in pins} == {
        "mlflow", "numpy", "pandas", "scikit-learn", "xgboost",
    }  # fmt: skip
    assert all("==" in pin for pin in pins)


def test_probabilities_of_a_clustering_and_missing_features_are_refused_by_name(
    tmp_path: Path,
) -> None:
    case = cases()["kmeans"]
    write_parts(case.model, tmp_path)
    loaded = _load_pyfunc(str(tmp_path))
    with pytest.raises(ValueError, match="has no classes"):
        loaded.predict(case.rows, {"probabilities": True})
    with pytest.raises(ValueError, match="missing features: alcohol"):
        loaded.predict(case.rows.drop(columns="alcohol"))


def test_a_category_of_whole_numbers_survives_its_first_gap(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": np.arange(60.0), "colour": np.array([3, 7])[np.arange(60) % 2]})
    codes = {"colour": ("3", "7")}
    text = frame.astype({"colour": str})
    case = classifier(text, np.arange(60) % 2, ("a", "b"), codes)
    write_parts(case.model, tmp_path)
    loaded = _load_pyfunc(str(tmp_path))
    gap = frame.astype({"colour": float})
    assert list(loaded.predict(gap)) == list(loaded.predict(text))
    gap.loc[0, "colour"] = np.nan
    assert list(loaded.predict(gap))[1:] == list(loaded.predict(text))[1:]
