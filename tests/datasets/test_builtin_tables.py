from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from optibench.config.registry import find
from optibench.datasets import pima
from optibench.datasets.blobs import Blobs
from optibench.datasets.classification import Classification
from optibench.datasets.encoding import encode
from optibench.datasets.regression import Regression
from optibench.errors import ConfigError, DataError
from optibench.records import Task

SHAPES = {
    "pima": (768, 8, 2),
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
    "digits": (1797, 64, 10),
    "blobs": (1000, 8, 5),
    "classification": (1000, 20, 2),
}


def plugin(name: str) -> Any:
    return find("dataset", name)


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_every_choice_loads_and_encodes(name: str, shape: tuple[int, int, int]) -> None:
    dataset = encode(plugin(name)().load(0), Task.CLASSIFICATION)
    assert (*dataset.X.shape, len(dataset.classes)) == shape
    assert dataset.X.dtype == np.float64
    assert dataset.X.flags.c_contiguous
    assert dataset.name == name


def test_tables_of_numbers_are_scikit_learns() -> None:
    X, y = datasets.load_diabetes(return_X_y=True)
    dataset = encode(plugin("diabetes")().load(0), Task.REGRESSION)
    assert np.array_equal(dataset.X, X)
    assert np.array_equal(dataset.y, y)
    X, y = datasets.make_regression(60, 5, n_informative=2, noise=3.0, random_state=7)
    table = Regression(n_samples=60, n_features=5, n_informative=2, noise=3.0).load(7)
    dataset = encode(table, Task.REGRESSION)
    assert np.array_equal(dataset.X, X)
    assert np.array_equal(dataset.y, y)
    with pytest.raises(ConfigError, match=r"noise=-1\.0"):
        Regression(noise=-1.0).load(0)


def test_pima_is_the_shipped_file_with_500_and_268_rows() -> None:
    dataset = encode(pima.Pima().load(0), Task.CLASSIFICATION)
    frame = pd.read_csv(pima.FILE)
    assert np.array_equal(dataset.X, frame.drop(columns="outcome").to_numpy(float))
    assert np.bincount(dataset.y).tolist() == [500, 268]


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_scikit_learns_tables_are_unchanged(name: str) -> None:
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    dataset = encode(plugin(name)().load(0), Task.CLASSIFICATION)
    assert np.array_equal(dataset.X, X)
    assert np.array_equal(dataset.y, y)


def test_generators_give_scikit_learns_numbers() -> None:
    X, y = datasets.make_blobs(60, 3, centers=4, cluster_std=0.5, random_state=7)
    dataset = encode(
        Blobs(n_samples=60, n_features=3, centers=4, cluster_std=0.5).load(7), Task.CLASSIFICATION
    )
    assert np.array_equal(dataset.X, X)
    assert np.array_equal(dataset.y, y)
    other = encode(Classification(n_samples=60).load(8), Task.CLASSIFICATION)
    assert other.digest == encode(Classification(n_samples=60).load(8), Task.CLASSIFICATION).digest
    assert other.digest != encode(Classification(n_samples=60).load(9), Task.CLASSIFICATION).digest


def test_few_features_of_a_generated_table_are_all_informative() -> None:
    assert Classification(n_features=4).load(0).frame.shape == (1000, 5)


def test_drawn_rows_depend_on_the_seed_and_keep_their_order() -> None:
    frames = [plugin("pima")(n_samples=100).load(seed).frame for seed in (0, 0, 1)]
    whole = plugin("pima")().load(0).frame
    assert frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])
    rows = np.random.default_rng(0).choice(768, 100, replace=False)
    assert frames[0].equals(whole.iloc[sorted(rows)].reset_index(drop=True))


def test_first_features_are_kept() -> None:
    table = plugin("iris")(n_features=2).load(0)
    assert table.features == ["sepal length (cm)", "sepal width (cm)"]


@pytest.mark.parametrize(
    ("name", "fields", "error", "message"),
    [
        ("pima", {"n_samples": 769}, DataError, "768 rows"),
        ("pima", {"n_features": 9}, DataError, "8 features"),
        ("pima", {"n_samples": 0}, ConfigError, "n_samples=0"),
        ("iris", {"path": "x.csv"}, ConfigError, "reads no file"),
        ("blobs", {"path": "x.csv"}, ConfigError, "reads no file"),
        ("blobs", {"n_samples": None}, ConfigError, "n_samples"),
        ("blobs", {"centers": 0}, ConfigError, "centers=0"),
        ("blobs", {"cluster_std": 0.0}, ConfigError, "cluster_std=0.0"),
        ("classification", {"n_classes": 1}, ConfigError, "at least 2 classes"),
        ("classification", {"n_classes": 9, "n_informative": 2}, ConfigError, "n_informative"),
        ("pima", {"target": "Outcome"}, DataError, "Did you mean 'outcome'"),
        ("pima", {"drop": ("outcome",)}, ConfigError, "dataset.target"),
        ("pima", {"drop": ("gluc",)}, DataError, "dataset.drop='gluc'"),
        ("pima", {"columns": ("glucos",)}, DataError, "Did you mean 'glucose'"),
        ("pima", {"categorical": ("agee",)}, DataError, "Did you mean 'age'"),
    ],
)
def test_wrong_fields_are_refused(
    name: str, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("(", r"\(")):
        plugin(name)(**fields).load(0)


def test_columns_and_drop_choose_features_and_keep_the_target() -> None:
    table = plugin("pima")(columns=("bmi", "age", "glucose"), drop=("age",)).load(0)
    assert table.features == ["glucose", "bmi"]
    assert "outcome" in table.frame


def test_without_a_target_every_column_is_a_feature() -> None:
    assert len(plugin("pima")(target=None).load(0).features) == 9
