from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from optibench.datasets.csv import Csv
from optibench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "a,b,y\n1,x,yes\n2,,no\n"


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_a_path_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    table = Csv(path="t.csv", target="y").load(0)
    assert table.frame.shape == (2, 3)
    assert table.features == ["a", "b"]
    assert table.source == "t.csv"


def test_a_byte_order_mark_and_compression_do_no_harm(tmp_path: Path) -> None:
    table = Csv(path=write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()), target="y").load(0)
    assert table.features == ["a", "b"]
    packed = write(tmp_path, gzip.compress(GOOD.encode()), "t.csv.gz")
    assert Csv(path=packed).load(0).frame.shape == (2, 3)


def test_gaps_in_the_last_column_are_missing_values_and_not_short_rows(tmp_path: Path) -> None:
    table = Csv(path=write(tmp_path, "a,b\n1,\n2,3\n\n")).load(0)
    assert table.frame["b"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b,y\n", "no rows"),
        ("a,b\n1,2\n1,2,3\n", "equally many cells.*line 3, saw 3"),
        ("a,b\n1,2,3\n4,5,6\n", "equally many cells: Length of header"),
        ("a,b\n1,2\n3\n", "row 3 has 1"),
        ("a,b,a\n1,2,3\n", "two columns are named 'a'"),
        ("a;b\n1;2\n", "not separated by commas"),
        (b"a,b\n\xff\xfe\x00,1\n", "UTF-8"),
    ],
)
def test_files_that_are_no_tables_are_refused(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Csv(path=write(tmp_path, text)).load(0)


def test_a_short_row_in_a_compressed_file_is_found(tmp_path: Path) -> None:
    packed = write(tmp_path, gzip.compress(b"a,b\n1,2\n3\n"), "t.csv.gz")
    with pytest.raises(DataError, match="row 3 has 1"):
        Csv(path=packed).load(0)


def test_a_missing_file_a_directory_and_no_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        Csv(path=str(tmp_path / "none.csv")).load(0)
    with pytest.raises(DataError, match="is a directory"):
        Csv(path=str(tmp_path)).load(0)
    with pytest.raises(ConfigError, match=r"dataset\.path is missing"):
        Csv().load(0)


def test_an_unknown_target_names_the_nearest_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset.target='Y'.*it has a, b, y. Did you mean 'y'"):
        Csv(path=write(tmp_path, GOOD), target="Y").load(0)
