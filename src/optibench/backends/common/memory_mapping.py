"""Share a value as one file, whose arrays every process of this machine maps into its memory."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from optibench.contracts import SharedValue, WorkerTask

V = TypeVar("V")
B = TypeVar("B")
R = TypeVar("R")


@dataclass(frozen=True)
class MappedValue(Generic[V]):
    """Implements `contracts.SharedValue` for a value in a file of this machine."""

    path: str

    def view(self) -> V:
        """Return the value with its arrays mapped."""
        import joblib

        value: V = joblib.load(self.path, mmap_mode="r")
        return value


class MemoryMappedFiles:
    """Files with shared values, in a folder that is removed at the end."""

    def __init__(self) -> None:
        """Make the folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-shared-"))
        self._count = 0

    def __enter__(self) -> Self:
        """Return the object; the folder exists already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder; what is mapped stays readable."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Remove the files; what is mapped stays readable."""
        for path in self.folder.glob("*.joblib"):
            path.unlink(missing_ok=True)

    def write(self, value: V) -> MappedValue[V]:
        """Write `value` to a new file and return its handle."""
        import joblib

        path = self.folder / f"{self._count}.joblib"
        self._count += 1
        joblib.dump(value, path)
        return MappedValue(str(path))


def run_on_mapped(task: WorkerTask[V, B, R], shared: SharedValue[V], batch: B) -> R:
    """Run `task` in a worker, which keeps the shared value mapped for the next batch."""
    if _Latest.shared != shared:
        release_mapped()  # before more is mapped, so that a worker maps one value at a time
        _Latest.shared, _Latest.value = shared, shared.view()
    return task(_Latest.value, batch)


def release_mapped() -> None:
    """Drop, in a worker, the value that it mapped last."""
    _Latest.shared, _Latest.value = None, None


class _Latest:
    """The value that this worker mapped last."""

    shared: SharedValue[Any] | None = None
    value: Any = None
