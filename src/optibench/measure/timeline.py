"""Write the resource samples of a run as a table and as a picture over time."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from statistics import fmean
from typing import TYPE_CHECKING

from optibench.measure.clock.spans import Span
from optibench.measure.remote.series import write_workers
from optibench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from optibench.measure.clock.phases import Recorder

# Okabe and Ito's colours, which people with any colour vision can distinguish.
_COLOURS = {
    "startup": "#9a9a9a",
    "load": "#56b4e9",
    "split": "#009e73",
    "search": "#e69f00",
    "fit": "#d55e00",
    "score": "#cc79a7",
    "tracking": "#0072b2",
    "shutdown": "#4d4d4d",
}
_DARK = ("split", "fit", "tracking", "shutdown")
_CPU_COLOUR = "#1b3a5c"
_MEMORY_COLOUR = "#7b2d5b"
# With more points the line is a blur: each point is then a mean, drawn in the band of its samples.
_MAX_POINTS = 800
_MIN_SPAN = 0.0015  # of the width, so that a phase of 2 ms still shows as a line


def write_resources(folder: Path, clock: Recorder) -> None:
    """Write samples.csv and timeline.png, and workers.csv if remote workers were monitored."""
    folder.mkdir(exist_ok=True)
    samples = clock.samples
    write_samples(folder / "samples.csv", samples)
    if clock.workers:
        write_workers(folder / "workers.csv", clock.workers)
    plot_timeline(folder / "timeline.png", samples, clock.spans)


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write one CSV row per sample; the columns are the fields of `records.Sample`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)


def plot_timeline(path: Path, samples: Sequence[Sample], spans: Sequence[Span]) -> None:
    """Draw CPU and memory over time as a PNG, with the phases shaded in the background.

    A phase is labelled if its name fits; the legend lists all phases with their seconds.

    Args:
        path: the PNG to write.
        samples: in the order of time; may be empty.
        spans: intervals of the phases.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)  # a canvas of its own needs no global state and no screen
    strip, cpu, memory = figure.subplots(3, 1, sharex=True, height_ratios=(0.45, 3, 3))
    times = [span.start for span in spans] + [sample.time for sample in samples]
    ends = [span.end for span in spans] + [sample.time for sample in samples]
    start = min(times, default=0.0)
    seconds: dict[str, float] = {}
    for span in spans:
        seconds[span.phase] = seconds.get(span.phase, 0.0) + span.end - span.start
    spans = _joined(spans)
    width = max(max(ends, default=0.0) - start, 0.01)
    _draw_phases((strip, cpu, memory), spans, start, width)
    _draw_series((cpu, memory), samples, start)
    memory.set_xlim(0, width)
    memory.set_xlabel("seconds since the start")
    figure.align_ylabels((cpu, memory))
    _draw_legend(figure, seconds)
    figure.draw_without_rendering()  # the sizes of texts are known only after drawing
    _name_phases(strip, spans, start)
    figure.savefig(path)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Join consecutive spans of one phase, so that they get one label."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].phase == span.phase:
            joined[-1] = Span(span.phase, joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _draw_phases(axes: Sequence[Axes], spans: Sequence[Span], start: float, width: float) -> None:
    strip = axes[0]
    strip.set_yticks([])
    strip.tick_params(bottom=False)
    for side in strip.spines.values():
        side.set_visible(False)
    for span in spans:
        left = span.start - start
        right = max(span.end - start, left + width * _MIN_SPAN)
        colour = _COLOURS.get(span.phase, "#bbbbbb")
        strip.axvspan(left, right, color=colour, linewidth=0)
        for axis in axes[1:]:
            axis.axvspan(left, right, color=colour, alpha=0.16, linewidth=0)


def _draw_series(axes: tuple[Axes, Axes], samples: Sequence[Sample], start: float) -> None:
    cpu, memory = axes
    size = -(-len(samples) // _MAX_POINTS) or 1
    groups = [samples[at : at + size] for at in range(0, len(samples), size)]
    times = [fmean(sample.time for sample in group) - start for group in groups]
    cpu_percents = [[sample.cpu_percent for sample in group] for group in groups]
    memory_percents = [[sample.memory_percent for sample in group] for group in groups]
    lines = (
        (cpu, cpu_percents, _CPU_COLOUR, "CPU, %"),
        (memory, memory_percents, _MEMORY_COLOUR, "memory, %"),
    )
    for axis, values, colour, label in lines:
        # A single sample makes no line and is drawn as a dot.
        means = [fmean(group) for group in values]
        axis.plot(times, means, color=colour, linewidth=1.4, marker="" if times[1:] else ".")
        lows, highs = [min(group) for group in values], [max(group) for group in values]
        axis.fill_between(times, lows, highs, color=colour, alpha=0.3, linewidth=0)
        axis.fill_between(times, means, color=colour, alpha=0.1, linewidth=0)
        axis.set_ylabel(label)
        axis.grid(axis="y", alpha=0.3, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    cpu.set_ylim(0, 104)
    # The memory axis is not fixed: a run that uses 1 % would be a line at the bottom.
    memory.set_ylim(0, 1.15 * max(map(max, memory_percents), default=0.0) or 1.0)


def _draw_legend(figure: Figure, seconds: dict[str, float]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color=_COLOURS.get(phase, "#bbbbbb"), label=f"{phase}  {_readable(total)}")
        for phase, total in seconds.items()
    ]
    if patches:
        figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False)


def _name_phases(strip: Axes, spans: Sequence[Span], start: float) -> None:
    """Write the name of each phase into its part of the strip if it fits."""
    left, right = strip.get_xlim()
    pixels_per_second = strip.get_window_extent().width / (right - left)
    for span in spans:
        middle = (span.start + span.end) / 2 - start
        text = strip.text(
            middle,
            0.5,
            span.phase,
            transform=strip.get_xaxis_transform(),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if span.phase in _DARK else "black",
        )
        room = (span.end - span.start) * pixels_per_second
        if text.get_window_extent().width > room - 6:
            text.remove()


def _readable(seconds: float) -> str:
    if seconds < 0.1:  # noqa: PLR2004 - milliseconds are easier to read below it
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:,.0f} s"  # noqa: PLR2004
