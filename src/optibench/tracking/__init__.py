"""Tracking: writes a run to MLflow, or keeps it in memory for tests.

Reading order: `store.py` opens the tracking store, `mlflow_tracker.py` writes the run,
`records_as_mlflow.py` translates OptiBench's records into MLflow's, `candidates.py` writes the
nested runs, `mlflow_tables.py` is the adapter for MLflow's database, and `model.py` logs the
fitted model. `packaged_model.py` is the code of the logged model where OptiBench is not installed.
These modules import MLflow; this one does not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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

# MLflow sends usage statistics from a background thread, which would run during measurements. It
# reads this variable when it is imported; a value that the user has set stays.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def __getattr__(name: str) -> object:
    """Import a tracker's module on first use: MLflow takes 2.3 s to import."""
    from importlib import import_module

    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
