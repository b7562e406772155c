from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optibench.datasets.parquet import Parquet
from optibench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"], "y": [True, False]})


def test_a_file_and_a_directory_of_files_are_read(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "one.parquet")
    FRAME.to_parquet(tmp_path / "two.parquet")
    one = Parquet(path=str(tmp_path / "one.parquet"), target="y").load(0)
    assert one.frame.equals(pd.read_parquet(tmp_path / "one.parquet"))
    assert len(Parquet(path=str(tmp_path)).load(0).frame) == 4


def test_row_names_of_pandas_are_no_feature(tmp_path: Path) -> None:
    FRAME.set_index(pd.Index([10, 20], name="id")).to_parquet(tmp_path / "t.parquet")
    assert Parquet(path=str(tmp_path / "t.parquet")).load(0).features == ["a", "b", "y"]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.parquet").write_text("a,b\n1,2\n")
    (tmp_path / "nothing.parquet").write_bytes(b"")
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    FRAME.head(0).to_parquet(tmp_path / "header.parquet")
    messages = {
        "none.parquet": "no such file",
        "empty": "no Parquet file",
        "text.parquet": "cannot be read as Parquet",
        "nothing.parquet": "cannot be read as Parquet",
        "twice.parquet": "two columns are named 'a'",
        "header.parquet": "no rows",
    }
    for name, message in messages.items():
        with pytest.raises(DataError, match=message):
            Parquet(path=str(tmp_path / name)).load(0)
