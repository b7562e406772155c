"""When a Dask worker writes to its disk what it holds."""

from __future__ import annotations

from math import inf
from typing import Any

Limits = tuple[Any, float]  # a share of the worker's memory or False, and bytes
NEVER: Limits = (False, inf)


def spill_beyond(limits: Limits, dask_worker: Any) -> Limits:
    """In a worker: change the limits beyond which it spills, and give those that it had."""
    manager = dask_worker.memory_manager
    buffer = manager.data if hasattr(manager.data, "n") else None
    had = manager.memory_spill_fraction, inf if buffer is None else buffer.n
    manager.memory_spill_fraction, n = limits
    if buffer is not None:
        buffer.n = n
    return had
