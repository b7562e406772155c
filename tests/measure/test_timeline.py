"""The picture and the table of the samples, for runs of any length."""

from __future__ import annotations

import csv
import sys
from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from optibench.measure.clock.spans import Span
from optibench.measure.timeline import plot_timeline, write_samples
from optibench.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def sample(at: float, cpu_percent: float = 50.0, pss_bytes: int | None = None) -> Sample:
    return Sample(1_000_000.0 + at, "search", cpu_percent, 12.5, 1000, pss_bytes, 3)


def test_samples_csv_has_one_row_per_sample_and_nothing_where_the_pss_was_not_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "samples.csv"
    write_samples(path, [sample(0.1, pss_bytes=700), sample(0.3)])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(Sample)]
    assert [float(row["time"]) for row in rows] == [1_000_000.1, 1_000_000.3]
    assert [row["pss_bytes"] for row in rows] == ["700", ""]


@pytest.mark.parametrize("count", [0, 1, 15, 5000])
def test_a_picture_is_drawn_for_any_number_of_samples(tmp_path: Path, count: int) -> None:
    path = tmp_path / "timeline.png"
    end = max(1.0, count / 5)
    spans = [
        Span("startup", 1_000_000.0, 1_000_000.0 + end / 2),
        Span("load", 1_000_000.0 + end / 2, 1_000_000.002 + end / 2),
        Span("search", 1_000_000.002 + end / 2, 1_000_000.0 + end),
    ]
    plot_timeline(path, [sample(n / 5) for n in range(count)], spans if count else [])
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 5_000


def test_phase_names_never_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path: (drawn.append(figure), save(figure, path))
    )
    start, spans = 1_000_000.0, []
    for number in range(40):
        length = 0.002 if number % 3 else 0.6
        phase = ("load", "search", "tracking", "score")[number % 4]
        spans.append(Span(phase, start, start + length))
        start += length
    plot_timeline(tmp_path / "timeline.png", [sample(1.0)], spans)
    boxes = [text.get_window_extent() for text in drawn[0].axes[0].texts]
    boxes.sort(key=lambda box: box.x0)
    assert boxes
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_drawing_leaves_no_global_figure_behind(tmp_path: Path) -> None:
    plot_timeline(tmp_path / "timeline.png", [sample(0.0)], [])
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
