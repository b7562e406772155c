"""Shares a value as one file, whose arrays every process of this machine maps into its memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryMappedFiles:
    """Files with shared values, in a folder that goes away in the end."""

    def __init__(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-shared-"))
        self._count = 0

    def __enter__(self) -> Self:
        """Nothing more to make."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder; what is mapped stays readable."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove the files; what is mapped stays readable."""
        for path in self.folder.glob("*.joblib"):
            path.unlink(missing_ok=True)

    def write(self, value: Any) -> str:
        """Write `value` and return the path that stands for it."""
        import joblib

        path = self.folder / f"{self._count}.joblib"
        self._count += 1
        joblib.dump(value, path)
        return str(path)


def view(path: str) -> Any:
    """The value behind `path`, its arrays mapped."""
    import joblib

    return joblib.load(path, mmap_mode="r")


def run_on_mapped(task: Callable[[Any, Any], Any], path: str, batch: Any) -> Any:
    """Run `task` in a worker on the value that was shared as the file `path`."""
    if _Latest.path != path:
        release_mapped()  # what it maps may go before more is mapped
        _Latest.path, _Latest.value = path, view(path)
    return task(_Latest.value, batch)


def release_mapped() -> None:
    """Let go, in a worker, of what it mapped last and holds of it."""
    _Latest.path, _Latest.value = "", None


class _Latest:
    """What this worker mapped last."""

    path = ""
    value: Any = None
