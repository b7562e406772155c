from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder, OrdinalEncoder

from optibench.datasets.columns import kind_of, sort_keys
from optibench.datasets.encoding import category_label, data_facts, encode
from optibench.errors import DataError
from optibench.records import ColumnKind, Dataset, Table, Task

# Without NUL, which NumPy strips from the end of fixed-width text.
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=4)


def encoded(frame: pd.DataFrame, *, target: str | None = None, **fields: Any) -> Dataset:
    return encode(
        Table("t", frame, target, "here", **fields),
        Task.CLASSIFICATION if target else Task.CLUSTERING,
    )


@given(st.lists(texts, min_size=1, max_size=30))
def test_text_classes_are_coded_as_label_encoder_codes_them(labels: list[str]) -> None:
    dataset = encoded(pd.DataFrame({"x": 1.0, "y": pd.Series(labels, dtype=object)}), target="y")
    reference = LabelEncoder().fit(labels)
    assert dataset.y.tolist() == reference.transform(labels).tolist()
    assert list(dataset.classes) == reference.classes_.tolist()


@given(st.lists(st.one_of(texts, st.none()), min_size=1, max_size=30))
def test_categories_are_coded_as_ordinal_encoder_codes_them(values: list[str | None]) -> None:
    frame = pd.DataFrame({"c": pd.Series(values, dtype=object)})
    dataset = encoded(frame, categorical=("c",))
    known = sorted({value for value in values if value is not None})
    column = np.array([np.nan if value is None else value for value in values], dtype=object)
    expected = (
        OrdinalEncoder(categories=[np.array([*known, np.nan], dtype=object)])
        .set_params(encoded_missing_value=np.nan)
        .fit_transform(column.reshape(-1, 1))
    )
    assert np.array_equal(dataset.X, expected, equal_nan=True)
    assert dataset.categories == {"c": tuple(known)}


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        ([9, 5, 9], (5, 9)),
        ([True, False, True], (False, True)),
        (["10", "9", "b"], ("10", "9", "b")),
        ([2.0, -1.0, 2.0], (-1.0, 2.0)),
        (pd.Categorical(["lo", "hi", "lo"], categories=["lo", "hi"]), ("hi", "lo")),
        (pd.array([3, 1, 3], dtype="Int64"), (1, 3)),
    ],
)
def test_classes_of_any_kind_are_sorted_plain_values(
    column: Any, classes: tuple[Any, ...]
) -> None:
    dataset = encoded(pd.DataFrame({"x": [1, 2, 3], "y": column}), target="y")
    assert dataset.classes == classes
    assert all(type(label) in {int, float, bool, str} for label in dataset.classes)
    assert [classes[code] for code in dataset.y] == list(column)


def test_numbers_of_every_type_become_floats_and_gaps_become_nan() -> None:
    frame = pd.DataFrame(
        {
            "bool": [True, False, True],
            "gappy_bool": pd.Series([True, None, False], dtype=object),
            "integer": pd.array([1, None, 3], dtype="Int64"),
            "decimal": [Decimal("1.5"), None, Decimal(2)],
            "float32": np.array([1, 2, 3], dtype="float32"),
        }
    )
    nan = np.nan
    expected = [[1, 1, 1, 1.5, 1], [0, nan, nan, nan, 2], [1, 0, 3, 2, 3]]
    assert np.array_equal(encoded(frame).X, expected, equal_nan=True)


def test_a_gap_does_not_change_the_label_of_a_whole_number() -> None:
    plain = encoded(pd.DataFrame({"c": [3, 12, 3]}), categorical=("c",))
    gappy = encoded(pd.DataFrame({"c": [3, 12, None]}), categorical=("c",))
    assert plain.categories == gappy.categories == {"c": ("12", "3")}
    assert [category_label(value) for value in (3.0, 3, 2.5, True, "a")] == [
        "3",
        "3",
        "2.5",
        "True",
        "a",
    ]


def test_target_groups_and_time_are_no_features() -> None:
    frame = pd.DataFrame(
        {"x": [1.0, 2.0], "g": ["b", "a"], "t": ["2024-01-02", "2024-01-01"], "y": [0, 1]}
    )
    dataset = encoded(frame, target="y", groups="g", time="t")
    assert dataset.feature_names == ("x",)
    assert dataset.groups.tolist() == [1, 0]
    assert np.argsort(dataset.time).tolist() == [1, 0]
    for_clusters = encode(Table("t", frame[["x", "y"]], "y", "here"), Task.CLUSTERING)
    assert for_clusters.y is None
    assert for_clusters.feature_names == ("x",)


def test_facts_name_the_categorical_features() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "y": [0, 1]})
    assert data_facts(encoded(frame, target="y", categorical=("c",))).feature_types == ("q", "c")
    assert data_facts(encoded(frame[["x", "y"]], target="y")).feature_types is None


def test_missing_classes_are_refused() -> None:
    with pytest.raises(DataError, match="1 missing values"):
        encoded(pd.DataFrame({"x": [1, 2], "y": ["a", None]}), target="y")


def test_the_digest_changes_with_every_part_of_the_content() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "y": ["n", "p"]})
    same = {"target": "y", "categorical": ("c",)}
    digest = encoded(frame, **same).digest
    assert len(digest) == 64
    assert encoded(frame.copy(), **same).digest == digest
    changed = [
        frame.assign(x=[1.0, 2.5]),
        frame.assign(c=["a", "d"]),
        frame.assign(y=["n", "q"]),
        frame.assign(y=["p", "n"]),
        frame.rename(columns={"x": "z"}),
    ]
    assert len({digest, *(encoded(other, **same).digest for other in changed)}) == 6


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], ColumnKind.NUMBER),
        ([1, None], ColumnKind.NUMBER),
        ([True, None], ColumnKind.BOOLEAN),
        (["a", None], ColumnKind.TEXT),
        (pd.Categorical(["a", "b"]), ColumnKind.TEXT),
        ([dt.datetime(2024, 1, 1), None], ColumnKind.DATE),
        ([dt.date(2024, 1, 1), None], ColumnKind.DATE),
        ([None, None], ColumnKind.EMPTY),
        ([1, "a"], ColumnKind.OTHER),
        ([1j, 2j], ColumnKind.OTHER),
    ],
)
def test_kinds_of_columns_are_distinguished(values: Any, kind: ColumnKind) -> None:
    assert kind_of(pd.Series(values)) is kind


def test_time_keys_order_numbers_dates_and_text() -> None:
    for values in ([3, 1, 2], pd.to_datetime(["2024-03-01", "2024-01-01", "2024-02-01"])):
        assert np.argsort(sort_keys(pd.Series(values))).tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match=r"."):
        sort_keys(pd.Series(["soon", "later"]))
