"""`optibench export`: what goes out can be read back, whole."""

from __future__ import annotations

import csv
import html
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.csv
import pytest

import optibench
from optibench.errors import ConfigError
from optibench.report.export import ExportRequest, export, main

FIRST = ["run_id", "name", "status", "start"]


@pytest.fixture(autouse=True)
def _here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(root)


def exported(root: Path, tmp_path: Path, name: str, **options: Any) -> Path:
    output = tmp_path / name
    export(ExportRequest(None, root, output=output, **options))
    return output


def test_csv_has_one_row_per_benchmark_run_in_order_of_start(
    root: Path, tmp_path: Path, awkward: str
) -> None:
    with exported(root, tmp_path, "x.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["name"] for row in rows] == ["run 0", "run 1", "run 2"]
    columns = list(rows[0])
    assert columns[:4] == FIRST
    groups = [name.partition(".")[0] for name in columns[4:]]
    assert groups == sorted(groups, key=["params", "metrics", "tags"].index)
    for group in ("params", "metrics", "tags"):
        names = [name for name in columns if name.startswith(f"{group}.")]
        assert names == sorted(names)
    assert rows[0]["start"] == "2023-11-14T22:13:20.000+00:00"
    assert rows[0]["tags.awkward"] == awkward
    assert rows[0]["params.long"] == "x" * 5000
    assert float(rows[1]["metrics.accuracy"]) == 0.1 + 1 / 3
    assert (rows[0]["params.p0"], rows[1]["params.p0"]) == ("007", "")


def test_csv_distinguishes_no_value_from_an_empty_text(root: Path, tmp_path: Path) -> None:
    table = pyarrow.csv.read_csv(
        exported(root, tmp_path, "x.csv"),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""],
            column_types={"tags.empty": "string", "params.p0": "string"},
        ),
    )  # fmt: skip
    assert table["tags.empty"].to_pylist() == [""] * 3
    assert table["params.p0"].to_pylist() == ["007", None, None]


def test_json_and_parquet_hold_the_same_typed_table(
    root: Path, tmp_path: Path, awkward: str
) -> None:
    rows = json.loads(exported(root, tmp_path, "x.json").read_text(encoding="utf-8"))
    frame = pd.read_parquet(exported(root, tmp_path, "x.parquet"))
    assert [list(row) for row in rows] == [list(frame.columns)] * 3
    assert rows[0]["tags.awkward"] == frame["tags.awkward"][0] == awkward
    assert [row["metrics.accuracy"] for row in rows] == frame["metrics.accuracy"].tolist()
    assert rows[0]["metrics.only_1"] is None
    assert rows[0]["tags.empty"] == ""
    assert [row["params.p0"] for row in rows] == ["007", None, None]
    assert str(frame["start"].dtype) == "datetime64[ms, UTC]"
    assert frame["start"][1] == pd.Timestamp(1_700_000_000_001, unit="ms", tz="UTC")


def test_markdown_html_and_latex_keep_their_shape(
    root: Path, tmp_path: Path, awkward: str
) -> None:
    lines = exported(root, tmp_path, "x.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert 'a,b "c"<br>d \\| ünï <x>' in lines[2]
    text = exported(root, tmp_path, "x.html").read_text("utf-8")
    assert html.escape(awkward) in text
    assert text.count("<tr>") == 4
    latex = exported(root, tmp_path, "x.tex").read_text(encoding="utf-8")
    assert latex.count(r" \\" + "\n") == 4
    assert r"a,b " + '"c" d | ünï <x> ' + r"\textbackslash{} \& \$1\_\%" in latex


def test_one_experiment_can_be_chosen(root: Path, tmp_path: Path) -> None:
    rows = json.loads(exported(root, tmp_path, "x.json", experiment="other").read_text())
    assert [row["name"] for row in rows] == ["run 2"]


def test_trials_of_all_runs_are_joined_with_the_run_id_first(root: Path, tmp_path: Path) -> None:
    rows = json.loads(exported(root, tmp_path, "x.json", trials=True).read_text())
    columns = ["run_id", "candidate", "max_depth", "fold", "accuracy", "worker", "error", "eta"]
    assert [list(row) for row in rows] == [columns] * 3
    assert [row["max_depth"] for row in rows] == [3, 3, None]
    assert [row["eta"] for row in rows] == [None, None, 0.1]
    assert [row["accuracy"] for row in rows] == [0.75, None, 1.0]  # JSON has no NaN
    assert [row["worker"] for row in rows] == ["w1", "w2", "007"]
    assert [row["error"] for row in rows] == [None, 'a, "b"', None]
    frame = pd.read_parquet(exported(root, tmp_path, "x.parquet", trials=True))
    assert frame["candidate"].dtype == "int64"
    assert math.isnan(frame["accuracy"][1])
    with exported(root, tmp_path, "x.csv", trials=True).open(newline="") as lines:
        assert [row["accuracy"] for row in csv.DictReader(lines)] == ["0.75", "nan", "1.0"]


def test_more_runs_than_a_page_are_all_exported(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optibench.tracking.stored_runs.PAGE", 2)
    assert len(json.loads(exported(root, tmp_path, "x.json").read_text())) == 3


def test_only_data_goes_to_stdout(root: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["--experiment", "optibench"]) == 0
    out, err = capfdbinary.readouterr()
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    assert [row["name"] for row in rows] == ["run 0", "run 1"]
    assert err == b""
    assert sorted(path.name for path in root.iterdir()) == ["mlruns"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--experiment", "nope"], "experiments Default, optibench, other"),
        (["--experiment", "Default"], "no benchmark runs in experiment 'Default'"),
        (["--uri", "sqlite:///none/x.db"], "no tracking store at"),
        (["--uri", "mlruns"], "not the address of a tracking store"),
        (["--uri", "http://bob:pw@127.0.0.1:9"], "http://***@127.0.0.1:9 cannot be read"),
        (["-o", "x.xlsx"], "ending .xlsx names no format"),
        (["-o", "no/such/folder/x.csv"], "cannot be written"),
    ],
)
def test_nothing_to_export_is_reported_with_exit_code_two(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert sorted(path.name for path in root.iterdir()) == ["mlruns"], "a store was created"


def test_an_empty_file_is_no_store_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    with pytest.raises(ConfigError, match="no tracking store"):
        export(ExportRequest("sqlite:///x.db", tmp_path))
    assert (tmp_path / "x.db").stat().st_size == 0


@pytest.mark.slow
def test_a_reader_that_closes_early_gets_no_traceback(root: Path) -> None:
    script = Path(optibench.__file__).parents[2] / "scripts" / "export_results.py"
    command = f"{sys.executable} {script} --format md | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],  # noqa: S607
        cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(optibench.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "| run_id |"
    assert done.stderr == ""
