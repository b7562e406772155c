"""A worker plug-in: every worker of ours begins alike, those too that stand in for lost ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import WorkerPlugin

from optibench.backends.common import worker_process

if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkerSetup(WorkerPlugin):
    """Its output goes to our log, and the modules are imported before it gets a task."""

    name = "optibench-begin-as-ours"

    def __init__(self, logs: str, modules: Sequence[str]) -> None:
        """Print to the folder `logs`, import `modules`."""
        self._logs = logs
        self._modules = modules

    def setup(self, worker: Any) -> None:
        """In the worker, once."""
        del worker
        worker_process.begin(self._logs, self._modules)
