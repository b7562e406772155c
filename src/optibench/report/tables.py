"""What a run, a plan and a sweep print on stdout."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from optibench.records import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optibench.records import JobNote, Plan, Result

PHASES = ("startup", "load", "split", "search", "fit", "score", "tracking")
MIB = 1024 * 1024


def align(
    header: Sequence[str], rows: Iterable[Sequence[str]], numeric: Iterable[int] = ()
) -> str:
    """Lay out a table in columns two spaces apart; columns in `numeric` are set right."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    right = set(numeric)
    lines = [
        "  ".join(
            c.rjust(w) if i in right else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def render_result(result: Result) -> str:
    """The answer of one run: quality beside its baselines, then where the time went."""
    values = result.metrics
    names = [name for name in values if f"train_{name}" in values]
    columns = {"": "held-out", "train_": "train", "default_": "defaults"}
    if any(f"baseline_{name}" in values for name in names):
        columns["baseline_"] = "majority" if "accuracy" in names else "mean"
    rows = [
        [name, *(_number(values.get(f"{prefix}{name}")) for prefix in columns)] for name in names
    ]
    quality = align(("metric", *columns.values()), rows, range(1, 1 + len(columns)))
    phases = [
        [
            phase,
            f"{values[f'{phase}_seconds']:.2f}",
            f"{values[f'{phase}_cpu_seconds']:.2f}",
            f"{values[f'{phase}_peak_memory_bytes'] / MIB:.0f}",
        ]
        for phase in PHASES
    ]
    total = ["wall", f"{values['wall_seconds']:.2f}", f"{values['cpu_seconds']:.2f}"]
    phases.append([*total, f"{values['peak_memory_bytes'] / MIB:.0f}"])
    times = align(("phase", "seconds", "CPU seconds", "peak MiB"), phases, range(1, 4))
    best = (
        ", ".join(f"{key}={value}" for key, value in result.best_params.items()) or "the defaults"
    )
    return "\n".join(
        [
            f"{result.name}  {result.status}",
            *_winner(result, best),
            "",
            quality,
            "",
            times,
            "",
            _tail(result),
        ]
    )


def _winner(result: Result, best: str) -> list[str]:
    values = result.metrics
    lines = [f"winner: {best}"]
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


def _tail(result: Result) -> str:
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
    """What would run."""
    return align(("plan", ""), [(key, str(value)) for key, value in plan.facts.items()])


def render_sweep(sweep_id: str, rows: Sequence[tuple[int, Sequence[str], JobNote]]) -> str:
    """One row per job: quality, wall seconds, CPU %, memory %, run id, and why one failed."""
    header = (
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
    return (
        f"{align(header, cells, (0, 7, 8, 9))}\nsweep {sweep_id}: tag optibench.sweep_id in MLflow"
    )


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def trial_rows(
    trials: Iterable[Any], names: Sequence[str], metrics: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Rows of trials.csv; hyperparameters stand under their plain names."""
    return [
        {
            "candidate": trial.candidate,
            **{name: trial.params.get(name) for name in names},
            "fold": trial.fold,
            **{metric: trial.scores.get(metric) for metric in metrics},
            "fit_seconds": trial.fit_seconds,
            "score_seconds": trial.score_seconds,
            "cpu_seconds": trial.cpu_seconds,
            "standalone_cpu_seconds": trial.standalone_cpu_seconds,
            "reused": str(trial.reused),
            "worker": trial.worker,
            "start": trial.start,
            "end": trial.end,
            "status": str(trial.status),
            "error": trial.error,
        }
        for trial in trials
    ]


def write_trials(path: Any, trials: Sequence[Any], metrics: Sequence[str]) -> None:
    """Write trials.csv; floats by `repr`, so that reading them gives the same bits back."""
    import csv

    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    fixed = (
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
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["candidate", *names, "fold", *metrics, *fixed])
        writer.writeheader()
        writer.writerows(trial_rows(trials, names, metrics))
