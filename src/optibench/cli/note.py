"""The note (`result.json`) that tells a sweep how a job ended, even if it was killed.

A job first writes its note when it creates the MLflow run.
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
    """A job's note, as a file for its sweep."""

    def write(self) -> None:
        """Write the note to the file that the sweep named; do nothing outside a sweep."""
        if path := os.environ.get(NOTE_VARIABLE):
            part = Path(f"{path}.part")
            part.write_text(json.dumps(redact(asdict(self))), encoding="utf-8")
            part.replace(path)


def note_of(result: Result) -> Note:
    """Make the note of a finished run."""
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
    """Read the note as it was last written; it has the run's id if a run was created."""
    path = Path(os.environ.get(NOTE_VARIABLE, os.devnull))
    return Note(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else Note()
