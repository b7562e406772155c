from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from optibench.datasets.builtin import Diabetes
from optibench.datasets.encoding import encode
from optibench.datasets.pima import Pima
from optibench.errors import ConfigError, DataError
from optibench.evaluation.settings import EvaluationSettings
from optibench.evaluation.split import SplitPlan, nested_share, scaling_on, split
from optibench.records import Dataset, Table, Task


def plan(
    task: Task = Task.CLASSIFICATION, *, scale: bool = False, seed: int = 0, **settings: Any
) -> SplitPlan:
    return SplitPlan(task, EvaluationSettings(**settings), scale=scale, seed=seed)


def rows_of(part: Any) -> list[int]:
    """Which rows of the table stand in a part; the first feature numbers them."""
    return part[:, 0].astype(int).tolist()


def numbered(n: int, **columns: Any) -> Dataset:
    frame = pd.DataFrame({"row": range(n), **columns})
    named = {name: name for name in ("groups", "time") if name in columns}
    task = Task.CLASSIFICATION if "y" in columns else Task.CLUSTERING
    return encode(Table("t", frame, "y" if "y" in columns else None, "", **named), task)


@pytest.mark.parametrize("seed", [0, 1])
def test_classes_are_split_as_the_protocol_says(seed: int) -> None:
    dataset = encode(Pima().load(0), Task.CLASSIFICATION)
    X, y = dataset.X, dataset.y
    parts = split(dataset, plan(seed=seed))
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=seed, stratify=y
    )
    assert np.array_equal(parts.X_train, X_train)
    assert np.array_equal(parts.X_test, X_test)
    assert np.array_equal(parts.y_train, y_train)
    assert np.array_equal(parts.y_test, y_test)
    assert parts.scaler is None
    expected = StratifiedKFold(5, shuffle=True, random_state=seed).split(X_train, y_train)
    for ours, theirs in zip(parts.folds, expected, strict=True):
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])


def test_clusters_are_split_and_scaled_as_the_protocol_says() -> None:
    dataset = encode(Pima().load(0), Task.CLUSTERING)
    parts = split(dataset, plan(Task.CLUSTERING, scale=True, folds=3, test_size=0.25))
    train, test = train_test_split(dataset.X, test_size=0.25, random_state=0)
    scaler = StandardScaler().fit(train)
    assert np.array_equal(parts.X_train, scaler.transform(train))
    assert np.array_equal(parts.X_test, scaler.transform(test))
    assert np.array_equal(parts.scaler.mean_, scaler.mean_)
    assert parts.y_train is None
    assert parts.y_test is None
    expected = list(KFold(3, shuffle=True, random_state=0).split(train))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(parts.folds, expected, strict=True))


def test_numbers_are_split_without_stratifying() -> None:
    dataset = encode(Diabetes().load(0), Task.REGRESSION)
    assert dataset.y.dtype == np.float64
    assert dataset.classes == ()
    parts = split(dataset, plan(Task.REGRESSION))
    X_train, X_test, y_train, y_test = train_test_split(
        dataset.X, dataset.y, test_size=0.2, random_state=0
    )
    assert np.array_equal(parts.X_train, X_train)
    assert np.array_equal(parts.X_test, X_test)
    assert np.array_equal(parts.y_train, y_train)
    assert np.array_equal(parts.y_test, y_test)
    expected = list(KFold(5, shuffle=True, random_state=0).split(X_train))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(parts.folds, expected, strict=True))
    few = nested_share(np.arange(350), parts.y_train, 0.1, 0)
    assert len(few) == 35
    assert set(few) <= set(nested_share(np.arange(350), parts.y_train, 0.3, 0))


def test_without_a_search_there_are_no_folds() -> None:
    dataset = encode(Pima().load(0), Task.CLASSIFICATION)
    settings = EvaluationSettings()
    parts = split(
        dataset, SplitPlan(Task.CLASSIFICATION, settings, scale=False, seed=0, with_folds=False)
    )
    assert parts.folds == ()


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.CLUSTERING])
def test_a_group_never_stands_on_both_sides(task: Task) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(15, size=200)
    columns = {"y": rng.integers(2, size=200)} if task is Task.CLASSIFICATION else {}
    dataset = numbered(200, groups=groups, **columns)
    parts = split(dataset, plan(task, groups="groups"))
    train, test = rows_of(parts.X_train), rows_of(parts.X_test)
    assert sorted(train + test) == list(range(200))
    assert not set(groups[train]) & set(groups[test])
    validated = [row for _, check in parts.folds for row in check]
    assert sorted(validated) == list(range(len(train)))
    for fit_rows, check in parts.folds:
        in_train = np.array(train)
        assert not set(groups[in_train[fit_rows]]) & set(groups[in_train[check]])


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.CLUSTERING])
def test_in_time_every_split_trains_on_earlier_rows(task: Task) -> None:
    rng = np.random.default_rng(0)
    time = rng.permutation(100)
    columns = {"y": rng.integers(2, size=100)} if task is Task.CLASSIFICATION else {}
    dataset = numbered(100, time=time, **columns)
    parts = split(dataset, plan(task, time="time", test_size=0.25))
    train, test = rows_of(parts.X_train), rows_of(parts.X_test)
    assert time[train].tolist() == list(range(75))
    assert time[test].tolist() == list(range(75, 100))
    assert len(parts.folds) == 5
    assert all(fit_rows.max() < check.min() for fit_rows, check in parts.folds)


def test_a_class_with_too_few_rows_left_to_train_is_refused() -> None:
    y = ["rare"] * 5 + ["often"] * 45
    with pytest.raises(DataError, match="Class 'rare' of column 'y' has 4 rows in the train part"):
        split(numbered(50, y=y), plan())
    assert len(split(numbered(50, y=y), plan(folds=4)).folds) == 4


def test_too_few_groups_left_to_train_are_refused() -> None:
    dataset = numbered(40, groups=np.arange(40) % 5)
    with pytest.raises(DataError, match="the train part has 4 groups"):
        split(dataset, plan(Task.CLUSTERING, groups="groups"))


@pytest.mark.parametrize(
    ("scale", "task", "on"),
    [
        ("auto", Task.CLUSTERING, True),
        ("auto", Task.CLASSIFICATION, False),
        (True, Task.CLASSIFICATION, True),
        ("true", Task.CLASSIFICATION, True),
        (False, Task.CLUSTERING, False),
    ],
)
def test_scaling_is_resolved(scale: Any, task: Task, on: object) -> None:
    assert scaling_on(scale, task) is on


def test_an_unknown_word_for_scale_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"dataset\.scale='yes': allowed are true, false and auto"
    ):
        scaling_on("yes", Task.CLUSTERING)


@given(
    st.integers(0, 1000),
    st.integers(10, 200),
    st.integers(1, 4),
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5),
)
def test_smaller_shares_lie_within_larger_ones_and_keep_every_class(
    seed: int, n: int, classes: int, shares: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(3 * n, n, replace=False))
    y = rng.integers(0, classes, 3 * n)
    parts = [nested_share(rows, y, share, seed) for share in sorted(shares)]
    for small, large in pairwise(parts):
        assert set(small) <= set(large)
    for share, part in zip(sorted(shares), parts, strict=True):
        assert len(part) == (n if share == 1 else math.ceil(share * n))
        assert (np.diff(part) > 0).all()
        if len(part) >= classes:
            assert set(y[part]) == set(y[rows])


def test_a_share_is_stratified_and_the_whole_is_untouched() -> None:
    y = np.repeat([0, 1], [900, 100])
    rows = np.arange(1000)
    assert np.bincount(y[nested_share(rows, y, 0.1, 0)]).tolist() == [90, 10]
    assert nested_share(rows, None, 1.0, 0) is rows
    assert len(nested_share(rows, None, 0.25, 0)) == 250
