"""A scheduler plug-in: a batch whose worker died may run anywhere."""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin


class RelaxedPlacement(SchedulerPlugin):
    """Frees batches that wait for a worker which does not come back.

    Each batch prefers one worker and allows others. When all workers are dead at the same moment,
    distributed (2026.8) forgets that others are allowed, and the batch waits for ever for an
    address that no worker will have again, although new workers came up.
    """

    name = "optibench-relaxed-placement"

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Lift the restriction before the scheduler offers waiting tasks to the new worker."""
        del worker
        for task in scheduler.unrunnable:
            if task.loose_restrictions:
                task.worker_restrictions = set()
