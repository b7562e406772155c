"""Write profile/engine.json: the task metrics that an engine keeps of a run."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from optibench.contracts import EngineTaskMetrics


class EngineMetricsFile:
    """Writes the engine's task metrics once, while the engine is still running.

    Attributes:
        notes: a sentence on why the file is missing; empty if nothing failed.
    """

    def __init__(self, metrics: EngineTaskMetrics | None, folder: Path) -> None:
        """Prepare to write into `folder`; `metrics` is None if the engine keeps none."""
        self.notes: tuple[str, ...] = ()
        self._metrics = metrics
        self._folder = folder

    def write(self) -> None:
        """Write the file; a second call does nothing.

        A failure is noted and does not fail the run.
        """
        metrics, self._metrics = self._metrics, None
        if metrics is None:
            return
        try:
            values = redact(metrics.read())
            self._folder.mkdir(exist_ok=True)
            text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
            (self._folder / "engine.json").write_text(f"{text}\n", encoding="utf-8")
        except Exception as error:
            problem = redact(f"{type(error).__name__}: {error}")
            self.notes = (f"there is no profile/engine.json: {problem}",)

    @contextmanager
    def written_on_error(self) -> Iterator[None]:
        """Write the file if an error leaves the `with` block."""
        try:
            yield
        except Exception:
            self.write()
            raise
