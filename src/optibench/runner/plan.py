"""Describe what a run would do, without running it (`plan=true`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import MIB, Plan
from optibench.redaction import redact
from optibench.runner.parallelism import ParallelismInputs, choose

if TYPE_CHECKING:
    from optibench.runner.settings import PreparedRun


def make_plan(prepared: PreparedRun) -> Plan:
    """Return the facts of the run; the memory of an engine that has not started is not known."""
    config, budget, dataset = prepared.config, prepared.budget, prepared.dataset
    rows, columns = dataset.n_samples, dataset.X.shape[1]
    folds = f"{config.evaluation.folds} folds" if prepared.search.uses_folds else "no folds"
    where = config.backend.location or "this machine"
    parallelism = config.backend.parallelism
    reason = prepared.reason or _slower_than_trials(prepared)
    why = f" ({reason})" if reason else ""
    facts = {
        "run": config.run_name,
        "model": f"{config.model.name} ({prepared.task}), ranked by {prepared.metric}",
        "data": f"{dataset.name}: {rows} rows x {columns} features, {dataset.source}",
        "scaling": "standardised on the train part" if prepared.scaling else "none",
        "engine": (f"{config.backend.name} at {where}, parallelism={parallelism}{why}"),
        "workers": f"{budget.workers} x {budget.threads} thread(s) of {budget.cores} core(s)",
        "candidates": f"{prepared.search.total} by search={config.search.name}, {folds}",
        "fits": f"{prepared.n_search_fits + 1}, the refit of the winner included",
        "memory": _memory(parallelism, 8 * rows * columns / MIB, budget.workers),
        "tracking": config.tracking.uri or "MLFLOW_TRACKING_URI, else ./mlruns/mlflow.db",
    }
    return Plan(redact(facts))


def _memory(parallelism: str, table_mib: float, workers: int) -> str:
    if parallelism == "data":
        return f"table {table_mib:.1f} MiB, {table_mib / workers:.1f} MiB of it at each worker"
    return (
        f"table {table_mib:.1f} MiB, shared by all workers; "
        f"each fit needs about {2 * table_mib:.1f} MiB more in its worker"
    )


def _slower_than_trials(prepared: PreparedRun) -> str:
    """Say where a data-parallel search would finish sooner with trials; empty elsewhere."""
    if prepared.is_trial_parallel or prepared.config.backend.is_remote:
        return ""
    memory_bytes, workers = available_memory_bytes(), prepared.budget.workers
    inputs = ParallelismInputs(
        table_bytes=8 * prepared.dataset.n_samples * prepared.dataset.X.shape[1],
        worker_bytes=memory_bytes // workers,
        driver_bytes=memory_bytes,
        workers=workers,
        fits=prepared.n_search_fits,
        why_no_data=None,
    )
    if not inputs.fits or choose(inputs).parallelism == "data":
        return ""
    return (
        f"{inputs.fits + 1} fits run one after the other, and the table fits into every worker: "
        "backend.parallelism=trials or auto is mostly faster"
    )
