"""Print a run, a plan and a sweep as plain text, and write trials.csv."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

from optibench.measure.clock.phases import PHASES
from optibench.records import MIB, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from optibench.records import JobNote, Plan, Result, Trial

SWEEP_COLUMNS = (
    "job",
    "model",
    "backend",
    "search",
    "dataset",
    "status",
    "quality",
    "wall s",
    "CPU %",
    "memory %",
    "run id",
    "reason",
)
SWEEP_NUMBERS = (0, 7, 8, 9)
TRIAL_COLUMNS = (
    "fit_seconds",
    "score_seconds",
    "cpu_seconds",
    "standalone_cpu_seconds",
    "reused",
    "worker",
    "start",
    "end",
    "status",
    "error",
)

# A rule of ASCII characters below the header, and nothing else. A pipe may take no other ones.
_RULE_BELOW_HEADER = "    \n    \n -  \n    \n    \n    \n    \n    \n"
_WIDTH = 10**6  # columns of the page: no cell is cut or wrapped, whatever the terminal's width


def render_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int] = ()
) -> str:
    """Lay out a table as plain text; the columns `numeric` are aligned to the right."""
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    box = Box(_RULE_BELOW_HEADER, ascii=True)
    table = Table(box=box, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    right = set(numeric)
    for number, name in enumerate(header):
        table.add_column(Text(name), justify="right" if number in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # Without a height rich asks the terminal; one that it takes for dumb has 80 columns.
    console = Console(width=_WIDTH, height=25, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def render_result(result: Result) -> str:
    """Write the answer of one run: quality next to its baselines, then time and memory."""
    parts = (
        "\n".join([f"{result.name}  {result.status}", *_winner(result)]),
        _quality(result),
        _phases(result),
        _closing_lines(result),
    )
    return "\n\n".join(parts)


def _winner(result: Result) -> list[str]:
    values = result.metrics
    params = ", ".join(f"{key}={value}" for key, value in result.best_params.items())
    lines = [f"winner: {params or 'the defaults'}"]
    if "best_cv_score" in values:
        counts = Counter(candidate.status for candidate in result.candidates)
        words = {Status.FAILED: "failed", Status.KILLED: "stopped early"}
        some = [
            f", {counts[status]} of them {word}"
            for status, word in words.items()
            if counts[status]
        ]
        of = f"{len(result.candidates)} candidates{''.join(some)}"
        lines.append(
            f"cross-validated {result.metric}: {values['best_cv_score']:.4f} "
            f"+- {values['best_cv_std']:.4f} over the folds, best of {of}"
        )
    return lines


def _quality(result: Result) -> str:
    values = result.metrics
    names = [name for name in values if f"train_{name}" in values]
    columns = {"": "held-out", "train_": "train", "default_": "defaults"}
    if any(f"baseline_{name}" in values for name in names):
        columns["baseline_"] = "majority" if "accuracy" in names else "mean"
    rows = [
        [name, *(_number(values.get(f"{prefix}{name}")) for prefix in columns)] for name in names
    ]
    return render_table(("metric", *columns.values()), rows, range(1, 1 + len(columns)))


def _phases(result: Result) -> str:
    values = result.metrics
    rows = [
        (
            phase,
            values[f"{phase}_seconds"],
            values[f"{phase}_cpu_seconds"],
            values[f"{phase}_peak_memory_bytes"],
        )
        for phase in PHASES
    ]
    rows.append(
        ("wall", values["wall_seconds"], values["cpu_seconds"], values["peak_memory_bytes"])
    )
    cells = [
        (name, f"{wall:.2f}", f"{cpu:.2f}", f"{peak / MIB:.0f}") for name, wall, cpu, peak in rows
    ]
    return render_table(("phase", "seconds", "CPU seconds", "peak MiB"), cells, range(1, 4))


def _closing_lines(result: Result) -> str:
    values = result.metrics
    text = (
        f"CPU {values['cpu_percent']:.0f} % and memory {values['memory_percent']:.1f} % "
        "of the machine at the peak"
    )
    if "search_efficiency" in values:
        share = f"{values['search_efficiency']:.0%}"
        text += f"; {share} of the search's cores x time went into fit and score"
    if values.get("reused_fits"):
        paid = sum(trial.cpu_seconds for trial in result.trials)
        text += (
            f"\n{values['reused_fits']:.0f} of {len(result.trials)} trials reused a fit: "
            f"{paid:.2f} CPU seconds instead of about {values['standalone_cpu_seconds']:.2f}"
        )
    if values.get("units_run_again"):
        text += (
            f"\n{values['units_run_again']:.0f} units of work were run again, because a worker "
            "was lost"
        )
    return f"{text}\nMLflow run {result.run_id} (optibench ui)"


def render_plan(plan: Plan) -> str:
    """Write what would run."""
    return render_table(("plan", ""), [(key, str(value)) for key, value in plan.facts.items()])


def render_sweep(sweep_id: str, rows: Sequence[tuple[int, Sequence[str], JobNote]]) -> str:
    """Write one row per job: quality, wall seconds, CPU %, memory %, run id, why it failed."""
    cells = [
        (
            str(number),
            *names,
            note.status,
            f"{note.metric} {_number(note.quality)}".strip() if note.metric else "",
            _number(note.wall_seconds, 2),
            _number(note.cpu_percent, 0),
            _number(note.memory_percent, 1),
            note.run_id,
            " ".join(note.reason.split()),
        )
        for number, names, note in rows
    ]
    table = render_table(SWEEP_COLUMNS, cells, SWEEP_NUMBERS)
    return f"{table}\nsweep {sweep_id}: tag optibench.sweep_id in MLflow"


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def write_trials(path: Path, trials: Sequence[Trial], metrics: Sequence[str]) -> None:
    """Write trials.csv; hyperparameters are columns of their plain names.

    Floats are written by `repr`, so that reading them gives the same bits back.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["candidate", *names, "fold", *metrics, *TRIAL_COLUMNS])
        writer.writerows(_trial_row(trial, names, metrics) for trial in trials)


def _trial_row(trial: Trial, names: Sequence[str], metrics: Sequence[str]) -> list[object]:
    return [
        trial.candidate,
        *(trial.params.get(name) for name in names),
        trial.fold,
        *(trial.scores.get(metric) for metric in metrics),
        trial.fit_seconds,
        trial.score_seconds,
        trial.cpu_seconds,
        trial.standalone_cpu_seconds,
        str(trial.reused),
        trial.worker,
        trial.start,
        trial.end,
        str(trial.status),
        trial.error,
    ]
