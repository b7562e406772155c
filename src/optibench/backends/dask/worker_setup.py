"""A worker plug-in: all workers that OptiBench starts, replacements too, start alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed.diagnostics.plugin import WorkerPlugin

from optibench.backends.common import worker_process

if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkerSetup(WorkerPlugin):
    """Redirects a worker's output to the run's logs and imports modules before the first task."""

    name = "optibench-worker-setup"

    def __init__(self, logs: str, modules: Sequence[str]) -> None:
        """Hold the folder of the logs and the modules to import."""
        self._logs = logs
        self._modules = modules

    def setup(self, worker: Any) -> None:
        """Prepare the worker, once."""
        del worker
        worker_process.begin(self._logs, self._modules)
