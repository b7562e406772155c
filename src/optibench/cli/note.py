"""The note (`result.json`) by which a sweep learns what became of a job, also a killed one.

It is first written when the MLflow run is created.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.records import JobNote
from optibench.redaction import redact

if TYPE_CHECKING:
    from optibench.records import Result

NOTE_VARIABLE = "OPTIBENCH_NOTE"


@dataclass(frozen=True)
class Note(JobNote):
    """A job's note as the file that its sweep reads."""

    def write(self) -> None:
        """Write the note where the sweep asked for it; nothing where no sweep did."""
        if path := os.environ.get(NOTE_VARIABLE):
            part = Path(f"{path}.part")
            part.write_text(json.dumps(redact(asdict(self))), encoding="utf-8")
            part.replace(path)


def note_of(result: Result) -> Note:
    """The note of a finished run."""
    metrics = result.metrics
    return Note(
        run_id=result.run_id,
        status=str(result.status),
        metric=result.metric,
        quality=metrics.get(result.metric),
        wall_seconds=metrics["wall_seconds"],
        cpu_percent=metrics["cpu_percent"],
        memory_percent=metrics["memory_percent"],
    )


def last_note() -> Note:
    """The note as it was last written, with the run's id where a run was created."""
    path = Path(os.environ.get(NOTE_VARIABLE, os.devnull))
    return Note(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Note()
