"""The folder and the processes of a run."""

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
    """Owns the folder of a run and the processes started during the run, and removes both.

    The processes of a reusable engine are kept with the engine and stop when it closes.

    Attributes:
        folder: temporary folder of the run, removed at its end.
        logs: folder for the log files of the engine.
    """

    def __init__(self, clock: Recorder) -> None:
        """Remember the processes that exist before the run, and make the folder."""
        reusable = idle_engine()
        self._earlier = descendants() - (reusable.processes if reusable else frozenset())
        self._tree = clock.tree
        self.folder = Path(tempfile.mkdtemp(prefix="optibench-run-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()

    def __enter__(self) -> Self:
        """Return the workspace."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the processes, or hand them to the reusable engine, and remove the folder."""
        try:
            reusable = idle_engine()
            if reusable is None:
                self.stop_processes()
            else:
                reusable.processes = frozenset(descendants() - self._earlier)
                reusable.reaping = reaping
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop_processes(self) -> None:
        """Stop the processes started during the run, except those of a warm reusable engine."""
        warm = engine_in_preparation()
        spared = self._earlier | (warm.processes if warm else frozenset())
        stop_descendants(spared, seen=self._tree.members())


@contextmanager
def reaping(processes: frozenset[ProcessKey]) -> Iterator[None]:
    """Stop the remaining `processes` on exit, and the processes started inside the block."""
    spared = descendants() - processes
    try:
        yield
    finally:
        stop_descendants(spared, seen=processes)
