"""When a Dask worker spills data to its disk."""

from __future__ import annotations

from math import inf
from typing import Any

Limits = tuple[Any, float]  # fraction of the worker's memory or False, and bytes
NEVER: Limits = (False, inf)


def spill_beyond(limits: Limits, dask_worker: Any) -> Limits:
    """Change, in a worker, the limits beyond which it spills, and return the previous limits."""
    manager = dask_worker.memory_manager
    buffer = manager.data if hasattr(manager.data, "n") else None
    previous = manager.memory_spill_fraction, inf if buffer is None else buffer.n
    manager.memory_spill_fraction, n = limits
    if buffer is not None:
        buffer.n = n
    return previous
