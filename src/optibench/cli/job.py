"""Run one job: a benchmark, its plan or its repeats; print the answer and leave a note."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from optibench.cli.exits import INTERRUPTED, report_error
from optibench.cli.note import Note, last_note, note_of
from optibench.errors import OptiBenchError
from optibench.redaction import redact

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from optibench.config.schema import Config
    from optibench.records import Entry


def run_job(composed: DictConfig, entry: Entry) -> int:
    """Run what the composed configuration describes; return the exit code."""
    from hydra.core.hydra_config import HydraConfig

    from optibench.config.resolution import resolve

    note = Note()
    try:
        config = resolve(composed)
        hydra = HydraConfig.get()
        overrides = list(hydra.overrides.task)
        save_configuration(config, Path(hydra.runtime.output_dir), overrides)
        if config.top.repeats > 1 and not config.top.plan:
            from optibench.cli.sweep import repeats_of, run_sweep

            return run_sweep(
                repeats_of(config, overrides), cast("DictConfig", HydraConfig.instance().cfg)
            )
        note = _run_one(config, entry)
    except KeyboardInterrupt:
        note = replace(last_note(), status="KILLED", reason="interrupted")
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        name = "" if isinstance(error, OptiBenchError) else f"{type(error).__name__}: "
        note = replace(last_note(), status="FAILED", reason=f"{name}{error}")
        return report_error(error)
    finally:
        note.write()
    return 0


def _run_one(config: Config, entry: Entry) -> Note:
    from optibench.report.tables import render_plan, render_result
    from optibench.runner import benchmark

    if config.top.plan:
        print(render_plan(benchmark.plan(config)))
        return Note(status="FINISHED")
    result = benchmark.run(config, entry=entry, announce=lambda run_id: Note(run_id).write())
    print(render_result(result))
    return note_of(result)


def save_configuration(config: Config, folder: Path, overrides: list[str]) -> None:
    """Write the files that Hydra would write to its output folder, with credentials redacted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("config.yaml", dict(config.resolved)), ("overrides.yaml", overrides)):
        text = yaml.safe_dump(redact(content), sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, encoding="utf-8")
