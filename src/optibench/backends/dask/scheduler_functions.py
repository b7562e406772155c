"""Functions that run in Dask's scheduler and workers to report where their time went.

This module is sent by value, because a given cluster may not have this package. It imports
nothing.
"""

from __future__ import annotations

from typing import Any

UNSPANNED = ("gather-dep", "get-data", "memory-monitor")


async def beat(dask_worker: Any) -> None:
    """Send the scheduler, from a worker, what was measured since the last heartbeat."""
    await dask_worker.heartbeat()


def between_workers(dask_scheduler: Any) -> list[tuple[Any, float]]:
    """Return what workers have spent on moving data since they started, for all clients."""
    metrics = dask_scheduler.cumulative_worker_metrics.items()
    return [(key, value) for key, value in metrics if key[0] in UNSPANNED]


def of_spans(ids: list[str], dask_scheduler: Any) -> dict[str, dict[str, list[Any]]]:
    """Return, for each span that has begun, its metrics and its number of tasks by prefix."""
    spans = dask_scheduler.extensions["spans"].spans
    return {
        name: {
            "metrics": list(spans[name].cumulative_worker_metrics.items()),
            "tasks": [(group.prefix.name, len(group)) for group in spans[name].groups],
        }
        for name in ids
        if name in spans
    }
