"""Tables on stdout: whole at any width, plain in a pipe."""

import csv
import math

import pytest
from tests.trials.fakes import trial_of

from optibench.records import Candidate, JobNote, Plan
from optibench.report.tables import render_plan, render_sweep, render_table, write_trials

REASON = "ValueError: [red]n_clusters[/red]=999 :warning: is more than there are rows; " * 10


def test_columns_are_aligned_and_numbers_end_at_the_right():
    lines = render_table(("phase", "seconds"), [("load", "1.50"), ("search", "20.25")], [1])
    assert lines.splitlines() == [
        "phase   seconds",
        "------- -------",
        "load       1.50",
        "search    20.25",
    ]


def test_a_table_without_rows_is_its_header():
    assert render_table(("metric", "train"), []).splitlines()[0].split() == ["metric", "train"]


@pytest.mark.parametrize(
    "variables",
    [
        {"COLUMNS": "40"},
        {"COLUMNS": "1"},
        {"FORCE_COLOR": "1", "TERM": "xterm-256color"},
        {"FORCE_COLOR": "1", "TERM": "dumb"},
    ],
)
def test_no_cell_is_cut_wrapped_or_coloured(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    note = JobNote(run_id="0123456789abcdef" * 2, status="FAILED", reason=REASON)
    text = render_sweep("abc", [(0, ("kmeans", "dask", "grid", "iris"), note)])
    header, _, row, last = text.splitlines()
    assert header.split()[-1] == "reason"
    assert row.endswith(REASON.strip())
    assert row.split()[:7] == ["0", "kmeans", "dask", "grid", "iris", "FAILED", note.run_id]
    assert last == "sweep abc: tag optibench.sweep_id in MLflow"
    assert "\x1b" not in text


def test_a_reason_of_several_lines_stays_in_its_row():
    note = JobNote(status="FAILED", reason="one\ntwo\n  three")
    text = render_sweep("abc", [(0, ("m", "b", "s", "d"), note)])
    assert text.splitlines()[2].endswith("one two three")


def test_a_finished_job_shows_its_numbers():
    note = JobNote("id", "FINISHED", "accuracy", 0.98765, 12.3456, 99.6, 1.26)
    row = render_sweep("abc", [(7, ("m", "b", "s", "d"), note)]).splitlines()[2]
    cells = [
        "7",
        "m",
        "b",
        "s",
        "d",
        "FINISHED",
        "accuracy",
        "0.9877",
        "12.35",
        "100",
        "1.3",
        "id",
    ]
    assert row.split() == cells


def test_characters_of_double_width_keep_the_columns_aligned():
    lines = render_table(("name", "x"), [("日本", "1"), ("abcd", "2")]).splitlines()
    assert lines[2:] == ["日本  1", "abcd  2"]


def test_a_plan_lists_every_fact():
    facts = {"candidates": "54 by search=grid", "memory": 12}
    lines = render_plan(Plan(facts)).splitlines()
    assert [line.split(maxsplit=1) for line in lines[2:]] == [
        ["candidates", "54 by search=grid"],
        ["memory", "12"],
    ]


def test_trials_are_written_whole_with_the_same_bits(tmp_path):
    third = 1 / 3
    trials = [
        trial_of(Candidate(0, {"eta": third}), 0, third),
        trial_of(Candidate(1, {"depth": 3}), 1, math.nan),
    ]
    write_trials(tmp_path / "trials.csv", trials, ["accuracy"])
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as lines:
        first, second = csv.DictReader(lines)
    assert list(first)[:5] == ["candidate", "eta", "depth", "fold", "accuracy"]
    assert float(first["eta"]) == float(first["accuracy"]) == third
    assert (first["depth"], second["depth"], second["eta"]) == ("", "3", "")
    assert second["accuracy"] == "nan"
    assert [first["status"], first["worker"]] == [str(trials[0].status), trials[0].worker]
