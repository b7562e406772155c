"""Tables in files: what is read in blocks is what is read at once, and is refused alike."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.datasets.csv import Csv
from optibench.datasets.encoding import encode
from optibench.datasets.facts import FrameColumn
from optibench.datasets.parquet import Parquet
from optibench.errors import ConfigError, DataError, InputError
from optibench.evaluation.parts import PartPlan
from optibench.records import Task
from optibench.runner.loading import load
from optibench.runner.settings import make_settings
from optibench.strategies.data_parallel import survey
from optibench.strategies.data_parallel.files import SurveyedFiles
from optibench.strategies.data_parallel.survey import SurveyRequest, SurveyResult, survey_blocks

PLAN = PartPlan(0, 0.25, 3)
FORMATS = ["csv", "parquet"]


def frame_of(n=500, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "whole": rng.integers(-5, 5, n),
            "flag": rng.random(n) > 0.5,
            "word": rng.choice(["red", "green", 'has "quotes", and a comma'], n),
            "code": rng.integers(1, 4, n).astype(float),
            "y": rng.choice(["no", "yes", "maybe"], n),
        }
    )
    frame.loc[::7, "x"] = np.nan
    frame.loc[::11, "code"] = np.nan
    return frame


def write(frame, kind, folder):
    """Several blocks in either format."""
    if kind == "csv":
        frame.to_csv(folder / "t.csv", index=False)
        return Csv(path=str(folder / "t.csv"))
    (folder / "t").mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        part = frame.iloc[rows].reset_index(drop=True)
        part.to_parquet(folder / "t" / f"{number}.parquet", row_group_size=50)
    return Parquet(path=str(folder / "t"))


def opened(source, task=Task.CLASSIFICATION, block_bytes=1000):
    files = source.in_blocks(classes=task is Task.CLASSIFICATION)
    return replace(files, block_bytes=block_bytes) if isinstance(source, Csv) else files


def surveyed(source, task=Task.CLASSIFICATION):
    request = SurveyRequest(opened(source, task), task, PLAN)
    results = [survey_blocks(request, [block]) for block in request.files.blocks]
    return SurveyedFiles.of(request, SurveyResult.merge(results))


def rows_of(table):
    pieces = [rows for block in table.blocks for rows in table.read(block)]
    y = None if pieces[0].y is None else np.concatenate([rows.y for rows in pieces])
    return np.concatenate([rows.X for rows in pieces]), y


@pytest.mark.parametrize("kind", FORMATS)
def test_blocks_are_encoded_as_the_table_that_is_read_at_once(kind, tmp_path):
    source = replace(write(frame_of(), kind, tmp_path), target="y", categorical=("word", "code"))
    files = surveyed(source)
    at_once = source.load(0)
    expected, dataset = encode(at_once, Task.CLASSIFICATION), files.dataset(5)
    X, y = rows_of(files.table)
    assert len(files.table.blocks) > 10
    assert np.array_equal(X, expected.X, equal_nan=True)
    assert np.array_equal(y, expected.y)
    assert np.array_equal(dataset.X, expected.X[:5], equal_nan=True)
    for name in ("feature_names", "classes", "categories", "target", "n_samples", "source"):
        assert getattr(dataset, name) == getattr(expected, name)
    for name, column in files.columns.items():
        frame = FrameColumn(at_once.frame[name])
        for fact in ("kind", "missing", "infinite", "varies"):
            assert getattr(column, fact) == getattr(frame, fact), (name, fact)
    for name in ("word", "code", "y"):
        assert files.columns[name].counts == FrameColumn(at_once.frame[name]).counts
    of_parts = files.parts
    assert sum(facts.n_rows for facts in of_parts.values()) == len(expected.X)
    counts = [sum(facts.classes[code] for facts in of_parts.values()) for code in range(3)]
    assert counts == np.bincount(expected.y).tolist()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_digest_names_the_content_and_not_the_place(kind, tmp_path):
    digests = []
    for number, frame in enumerate([frame_of(), frame_of(), frame_of(seed=1)]):
        (tmp_path / str(number)).mkdir()
        source = replace(write(frame, kind, tmp_path / str(number)), target="y")
        files = surveyed(replace(source, categorical=("word",)))
        digests.append(files.dataset(5).digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("in_one_look", [True, False])
def test_more_labels_than_can_be_had_are_refused_where_they_are_seen(
    in_one_look, tmp_path, monkeypatch
):
    monkeypatch.setattr(survey, "MAX_LABELS", 40)
    frame = frame_of(90)
    frame["y"] = [f"row {number % 50}" for number in range(90)]
    source = replace(write(frame, "csv", tmp_path), target="y")
    request = SurveyRequest(
        opened(source, block_bytes=10**6 if in_one_look else 1000), Task.CLASSIFICATION, PLAN
    )
    results = [survey_blocks(request, [block]) for block in request.files.blocks]
    assert (len(results) == 1) == in_one_look
    assert any(seen.columns for seen in results) != in_one_look
    with pytest.raises(DataError, match=r"Column 'y' has more than 40 distinct values"):
        SurveyedFiles.of(request, SurveyResult.merge(results))


def test_whole_numbers_as_classes_and_numbers_to_predict(tmp_path):
    source = replace(write(frame_of(), "csv", tmp_path), categorical=("word", "y"))
    classes = surveyed(replace(source, target="whole"))
    assert classes.dataset(1).classes == tuple(range(-5, 5))
    values = surveyed(replace(source, target="whole"), Task.REGRESSION)
    assert np.array_equal(rows_of(values.table)[1], frame_of()["whole"])
    assert surveyed(replace(source, target="whole"), Task.CLUSTERING).request.target is None


@settings(max_examples=settings().max_examples // 2)
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=40),
    block_bytes=st.integers(1, 200),
    end=st.sampled_from(["\n", "\r\n"]),
    ends_with_it=st.booleans(),
)
def test_every_line_lies_in_one_block(lengths, block_bytes, end, ends_with_it, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "t.csv"
    lines = ["a,b", *(f"{number},{'x' * length}y" for number, length in enumerate(lengths))]
    path.write_bytes((end.join(lines) + (end if ends_with_it else "")).encode())
    files = opened(Csv(path=str(path)), block_bytes=block_bytes)
    frames = [frame for block in files.blocks for frame in files.frames(block)]
    assert pd.concat(frames)["a"].tolist() == list(range(len(lengths)))
    keys = [
        block.first_row + row
        for block in files.blocks
        for f in files.frames(block)
        for row in range(len(f))
    ]
    assert len(set(keys)) == len(lengths)


def test_one_row_group_is_dealt_out_in_pieces(tmp_path):
    frame = frame_of(1003)
    frame.to_parquet(tmp_path / "t.parquet")
    source = Parquet(path=str(tmp_path / "t.parquet"), target="y", categorical=("word", "code"))
    table = surveyed(source).table
    X, y = rows_of(table)
    expected = encode(source.load(0), Task.CLASSIFICATION)
    assert np.array_equal(X, expected.X, equal_nan=True)
    assert np.array_equal(y, expected.y)
    assert len(table.blocks) == 9
    ends = [block.first_row + block.n_rows for block in table.blocks]
    assert [0, *ends] == [*(block.first_row for block in table.blocks), 1003]


def test_folders_that_say_a_column(tmp_path):
    frame = frame_of().assign(year=np.repeat(["a2020", "a2021"], 250))
    frame.to_parquet(tmp_path / "t", partition_cols=["year"], row_group_size=100)
    source = Parquet(path=str(tmp_path / "t"), target="y", categorical=("year", "word"))
    files = surveyed(source)
    expected = encode(source.load(0), Task.CLASSIFICATION)
    assert np.array_equal(rows_of(files.table)[0], expected.X, equal_nan=True)
    assert {block.file.split("/")[0] for block in files.table.blocks} == {
        "year=a2020",
        "year=a2021",
    }


def recorded(words):
    with pytest.raises(InputError) as caught:
        load(make_settings(resolve(compose([*words, "dataset.target=y"]))))
    return str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"x": np.inf}, "xgboost"),
        ({"y": None}, "xgboost"),
        ({"y": 1}, "xgboost"),
        ({"y": "text"}, "xgboost_regression"),
        ({"y": 2.5}, "xgboost_regression"),
        ({"x": None}, "kmeans"),
        ({}, "kmeans"),
        ({"x": 1, "whole": 1, "flag": True}, "xgboost"),
        (None, "xgboost"),
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(change, model, kind, tmp_path):
    frame = frame_of(60).assign(**change or {}).drop(columns=["word", "code"])
    frame = frame[["y"]] if change is None else frame
    source = write(frame, kind, tmp_path)
    words = [f"model={model}", "backend=dask", f"dataset={kind}", f"dataset.path={source.path}"]
    in_blocks = recorded([*words, "backend.parallelism=data"])
    assert in_blocks == recorded(words)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('a,b\n1,"two\nlines"\n', "has a cell with a line break"),
        ("a,b\n1,2\n3\n", "names 2 columns; the row '3' has 1"),
        ("a,b\n1,2\n3,4,5\n", "equally many cells"),
        ("a,b\n1,2,3\n", "equally many cells"),
        ("a;b\n1;2\n", "not separated by commas"),
        ("a,a\n1,2\n", "two columns are named 'a'"),
        ("a,b\n", "no rows"),
        ("a,b\n\n\n", "no rows"),
        ("\n", "the file is empty"),
    ],
)
def test_lines_that_are_no_rows_are_refused(lines, message, tmp_path):
    (tmp_path / "t.csv").write_text(lines)
    with pytest.raises(DataError, match=message):
        surveyed(Csv(path=str(tmp_path / "t.csv")), Task.CLUSTERING)


def test_what_cannot_be_read_in_blocks_is_refused(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n")
    with pytest.raises(DataError, match="a compressed file cannot be read in blocks"):
        Csv(path=str(tmp_path / "t.csv.gz")).in_blocks(classes=False)
    for kind in FORMATS:
        with pytest.raises(ConfigError, match="n_samples=10: with backend"):
            replace(write(frame_of(), kind, tmp_path), n_samples=10).in_blocks(classes=False)
