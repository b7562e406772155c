"""The log files of an engine that serves several runs; each run gets its own lines."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class EngineLogs:
    """A folder with the logs of an engine, and how much of each file has been copied."""

    def __init__(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-engine-"))
        self._copied: dict[str, int] = {}  # bytes copied or skipped, by file name

    def skip(self) -> None:
        """Skip what is there: it does not belong to the run that begins."""
        for log in self._files():
            self._copied[log.name] = log.stat().st_size

    def copy_new(self, target: Path) -> None:
        """Append to the files of `target` what was neither copied nor skipped before."""
        for log in self._files():
            with log.open("rb") as source:
                source.seek(self._copied.get(log.name, 0))
                text = source.read()
            self._copied[log.name] = self._copied.get(log.name, 0) + len(text)
            if text:
                with (target / log.name).open("ab") as copy:
                    copy.write(text)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [log for log in self.folder.glob("*") if log.is_file()]
