"""Writes a run down: in MLflow, or in memory for tests.

Reading order: `store.py` opens the place, `mlflow_tracker.py` writes the run,
`records_as_mlflow.py` turns our records into MLflow's, `candidates.py` writes the nested runs,
`model.py` logs the fitted model, whose code in a process without OptiBench is
`packaged_model.py`. MLflow is imported by those modules only, never by this one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optibench.tracking.memory import MemoryTracker
    from optibench.tracking.mlflow_tracker import MlflowTracker, mark_dead
    from optibench.tracking.store import Store, prepare_store

__all__ = ["MemoryTracker", "MlflowTracker", "Store", "mark_dead", "prepare_store"]

_HOMES = {
    "MemoryTracker": "memory",
    "MlflowTracker": "mlflow_tracker",
    "mark_dead": "mlflow_tracker",
    "Store": "store",
    "prepare_store": "store",
}

# MLflow reports its use to its makers from a thread of its own: that thread would run inside our
# measurement. # Read when mlflow is imported; a user who has set it decides.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def __getattr__(name: str) -> Any:
    """Import a tracker's module only when it is asked for (MLflow takes 2.3 s)."""
    from importlib import import_module

    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
