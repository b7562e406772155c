"""The log files of an engine that outlives runs: each run gets what was printed in its time."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


class EngineLogs:
    """A folder in which an engine writes its logs, and how much of them has been copied."""

    def __init__(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-engine-"))
        self._passed: dict[str, int] = {}  # bytes by file name

    def skip(self) -> None:
        """Pass over what is there: it is not of the run that begins."""
        for log in self._files():
            self._passed[log.name] = log.stat().st_size

    def copy_new(self, target: Path) -> None:
        """Append to the files of `target` what was not copied or passed over before."""
        for log in self._files():
            with log.open("rb") as source:
                source.seek(self._passed.get(log.name, 0))
                text = source.read()
            self._passed[log.name] = self._passed.get(log.name, 0) + len(text)
            if text:
                with (target / log.name).open("ab") as copy:
                    copy.write(text)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [log for log in self.folder.glob("*") if log.is_file()]
