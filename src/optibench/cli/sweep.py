"""Run a sweep: one job after the other, each in its own process, and a table of all at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optibench.cli.exits import environment
from optibench.cli.note import NOTE_VARIABLE, Note
from optibench.errors import OptiBenchError
from optibench.redaction import redact
from optibench.termination import end_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from omegaconf import DictConfig

    from optibench.config.schema import Config

SWEEP_VARIABLE = "OPTIBENCH_SWEEP_ID"
REPEAT_VARIABLE = "OPTIBENCH_REPEAT"
STOP_SECONDS = 60.0  # time for an interrupted job to close its run and its engine


@dataclass(frozen=True)
class Job:
    """One benchmark of a sweep.

    Attributes:
        number: its place in the sweep and the name of its folder.
        overrides: what it is composed from.
        names: of model, backend, search and dataset, for the table.
        plan: whether it only prints what would run.
        repeat: from 1, for a configuration that is run several times.
    """

    number: int
    overrides: tuple[str, ...]
    names: tuple[str, ...]
    tracking_uri: str | None = None
    plan: bool = False
    repeat: int = 1


def jobs_of(composed: Iterable[tuple[Sequence[str], Any]], first: int) -> list[Job]:
    """List the jobs of Hydra's sweeper, each as often as its `repeats` says.

    Args:
        composed: overrides and composed configuration of each job.
        first: number of the first job.
    """
    jobs: list[Job] = []
    for overrides, config in composed:
        names = tuple(
            str(config[group].name) for group in ("model", "backend", "search", "dataset")
        )
        repeats = config.repeats if isinstance(config.repeats, int) else 1
        for repeat in range(1, max(repeats, 1) + 1):
            words = (*overrides, *_once(repeats))
            jobs.append(
                Job(
                    first + len(jobs), words, names, config.tracking.uri, bool(config.plan), repeat
                )
            )
    return jobs


def repeats_of(config: Config, overrides: Sequence[str]) -> list[Job]:
    """List the jobs of one benchmark with `repeats` above 1."""
    names = (config.model.name, config.backend.name, config.search.name, config.dataset.name)
    words = (*overrides, *_once(config.top.repeats))
    uri = config.tracking.uri
    return [Job(i, words, names, uri, repeat=i + 1) for i in range(config.top.repeats)]


def _once(repeats: int) -> tuple[str, ...]:
    return ("++repeats=1",) if repeats > 1 else ()


def run_sweep(jobs: Sequence[Job], config: DictConfig) -> int:
    """Run the jobs and print their table; return 0, 1 (a job failed) or 130 (interrupted)."""
    from optibench.report.tables import render_sweep

    folder = Path(config.hydra.sweep.dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _redact_file(folder / "multirun.yaml")
    sweep_id = os.environ.get(SWEEP_VARIABLE) or uuid.uuid4().hex[:12]
    extra = [f"--config-dir={path}" for path in _config_dirs(config)]
    rows: list[tuple[Job, Note]] = []
    interrupted = False
    for job in jobs:
        print(
            f"[{len(rows) + 1}/{len(jobs)}] {' '.join(redact(list(job.overrides)))}",
            file=sys.stderr,
        )
        note, interrupted = _run_job(job, folder / str(job.number), sweep_id, extra)
        rows.append((job, note))
        if job.plan:
            print((folder / str(job.number) / "stdout.txt").read_text(encoding="utf-8"))
        if interrupted:
            break
    if all(job.plan for job in jobs):
        return int(any(note.status != "FINISHED" for _, note in rows))
    print(render_sweep(sweep_id, [(job.number, job.names, note) for job, note in rows]))
    if interrupted:
        return 130
    return int(any(note.status != "FINISHED" for _, note in rows))


def _run_job(job: Job, folder: Path, sweep_id: str, extra: list[str]) -> tuple[Note, bool]:
    folder.mkdir(parents=True, exist_ok=True)
    note_path = folder / "result.json"
    note_path.unlink(missing_ok=True)
    words = [*job.overrides, f"hydra.run.dir='{folder}'"]
    variables = {
        **environment(),
        NOTE_VARIABLE: str(note_path),
        SWEEP_VARIABLE: sweep_id,
        REPEAT_VARIABLE: str(job.repeat),
    }
    with (folder / "stdout.txt").open("w", encoding="utf-8") as stdout:
        process = subprocess.Popen(  # noqa: S603 - this program itself, started without a shell
            [sys.executable, "-m", "optibench", *words, *extra],
            stdout=stdout,
            env=variables,
            start_new_session=True,  # a group of its own, which is ended with the job
        )
        code, interrupted = _wait(process)
    end_group(process)  # workers or a JVM left behind would disturb the next job
    return _read_note(note_path, code, job.tracking_uri), interrupted


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, bool]:
    try:
        return process.wait(), False
    except KeyboardInterrupt:
        process.terminate()  # a job in a shell's background ignores Ctrl-C, but not this
        try:
            return process.wait(STOP_SECONDS), True
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            return process.wait(), True


def _read_note(path: Path, code: int, tracking_uri: str | None) -> Note:
    note = Note(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Note()
    if note.status != "RUNNING":
        return note
    if code < 0:
        reason = f"the job's process was killed by {signal.Signals(-code).name}"
    else:
        reason = f"the job's process ended with exit code {code} before it could report why"
    if note.run_id:
        from optibench.tracking import mark_dead

        try:
            mark_dead(tracking_uri, note.run_id, reason)
        except OptiBenchError as error:  # the other jobs must still run
            reason = f"{reason} (and its run could not be closed: {error})"
    return replace(note, status="FAILED", reason=reason)


def _config_dirs(config: DictConfig) -> list[str]:
    sources = config.hydra.runtime.config_sources
    return [source.path for source in sources if source.provider == "command-line"]


def _redact_file(path: Path) -> None:
    """Redact a file of the configuration, which Hydra's sweeper has written in full by now."""
    import yaml

    if path.exists():
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(redact(content), sort_keys=False), encoding="utf-8")
