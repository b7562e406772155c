"""profile/engine.json: what an engine itself says of the work of a run."""

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
    """Is read once, while the engine is there to tell it.

    Attributes:
        notes: why there is none, in a sentence.
    """

    def __init__(self, own: EngineTaskMetrics | None, folder: Path) -> None:
        """Write `own` into `folder`; None: the run's engine keeps none."""
        self.notes: tuple[str, ...] = ()
        self._own = own
        self._folder = folder

    def write(self) -> None:
        """The second time, nothing. A failure is noted: it is no reason for a run to fail."""
        own, self._own = self._own, None
        if own is None:
            return
        try:
            told = redact(own.read())
            self._folder.mkdir(exist_ok=True)
            text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
            (self._folder / "engine.json").write_text(f"{text}\n", encoding="utf-8")
        except Exception as error:
            problem = redact(f"{type(error).__name__}: {error}")
            self.notes = (f"there is no profile/engine.json: {problem}",)

    @contextmanager
    def before_the_end(self) -> Iterator[None]:
        """Write it at the latest where an error leaves the block."""
        try:
            yield
        except Exception:
            self.write()
            raise
