"""What runs in the scheduler and the workers of Dask to tell where their time went.

This module is sent by value: a given cluster may not have this package. It imports nothing.
"""

from __future__ import annotations

from typing import Any

UNSPANNED = ("gather-dep", "get-data", "memory-monitor")


async def beat(dask_worker: Any) -> None:
    """In a worker: send the scheduler what was measured since the last heartbeat."""
    await dask_worker.heartbeat()


def between_workers(dask_scheduler: Any) -> list[tuple[Any, float]]:
    """What workers have spent on moving data, for whichever client, since they began."""
    metrics = dask_scheduler.cumulative_worker_metrics.items()
    return [(key, value) for key, value in metrics if key[0] in UNSPANNED]


def of_spans(ids: list[str], dask_scheduler: Any) -> dict[str, dict[str, list[Any]]]:
    """For each span that has begun: its metrics, and how many tasks it has, by prefix."""
    spans = dask_scheduler.extensions["spans"].spans
    return {
        name: {
            "metrics": list(spans[name].cumulative_worker_metrics.items()),
            "tasks": [(group.prefix.name, len(group)) for group in spans[name].groups],
        }
        for name in ids
        if name in spans
    }
