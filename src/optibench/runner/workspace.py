"""The folder and the processes of a run; nothing of either stays behind."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from optibench.backends.common.reuse import engine_in_preparation, idle_engine
from optibench.measure.processes.reaper import stop_descendants
from optibench.measure.processes.tree import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.measure.clock.phases import Recorder
    from optibench.measure.processes.tree import ProcessKey


class Workspace:
    """A run's folder, and the processes begun in its time; nothing of either stays behind.

    An engine that is kept beyond the run keeps its processes, which are then stopped with it.
    """

    def __init__(self, clock: Recorder) -> None:
        """Look at what is there before the run, which is spared; make the folder."""
        kept = idle_engine()
        self._known = descendants() - (kept.processes if kept else frozenset())
        self._tree = clock.tree
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-run-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()

    def __enter__(self) -> Self:
        """Nothing more to make."""
        return self

    def __exit__(self, *_: object) -> None:
        """Clear them."""
        try:
            kept = idle_engine()
            if kept is None:
                self.stop_processes()
            else:
                kept.processes, kept.reaping = frozenset(descendants() - self._known), reaping
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop_processes(self) -> None:
        """Stop what was begun since; not an engine that was warm and is only being made ready."""
        warm = engine_in_preparation()
        spared = self._known | (warm.processes if warm else frozenset())
        stop_descendants(spared, seen=self._tree.members())


@contextmanager
def reaping(processes: frozenset[ProcessKey]) -> Iterator[None]:
    """Stop those of `processes` that are left at the end, and what they have begun inside."""
    spared = descendants() - processes
    try:
        yield
    finally:
        stop_descendants(spared, seen=processes)
