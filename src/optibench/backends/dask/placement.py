"""A scheduler plug-in: a batch whose worker died may run anywhere."""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin


class RelaxedPlacement(SchedulerPlugin):
    """Frees batches that wait for a worker which is not coming back.

    Each batch is meant for one worker, others being allowed. Where all workers are dead at one
    moment distributed (2026.8) forgets the second half, and the batch waits for ever for an
    address that nobody will have again, though new workers came up.
    """

    name = "optibench-any-worker-will-do"

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Before the new worker is offered what could not run."""
        del worker
        for task in scheduler.unrunnable:
            if task.loose_restrictions:
                task.worker_restrictions = set()
