"""What is written of a run when it is created: parameters and tags."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from optibench._version import __version__
from optibench.measure.processes.machine import library_versions, machine_facts
from optibench.records import RunHeader
from optibench.redaction import redact
from optibench.runner.settings import PreparedRun, RunSettings

LIBRARIES = ("numpy", "pandas", "scikit-learn", "xgboost", "mlflow", "hydra-core")
NOT_IN_DIGEST = ("tracking", "plan", "progress", "repeats")


def make_header(settled: RunSettings, start: float) -> RunHeader:
    """What is known of a run: of its table only once it is prepared."""
    config, budget = settled.config, settled.budget
    dataset = settled.dataset if isinstance(settled, PreparedRun) else None
    params: dict[str, Any] = dict(_dotted(redact(dict(config.resolved))))
    for group in ("model", "backend", "search", "dataset"):
        params[group] = params.pop(f"{group}.name")
    params |= {
        "parallelism": config.backend.parallelism,
        "workers": budget.workers,
        "threads_per_trial": budget.threads,
        "cores": budget.cores,
        "folds": config.evaluation.folds,
        "metric": settled.metric,
        "n_candidates": settled.search.total,
    }
    if dataset is not None:
        params |= {"n_samples": dataset.n_samples, "n_features": dataset.X.shape[1]}
    if settled.reason:
        params["parallelism_reason"] = settled.reason
    params |= {f"version.{name}": value for name, value in library_versions(LIBRARIES).items()}
    params |= {f"machine.{name}": value for name, value in machine_facts().items()}
    return RunHeader(config.run_name, params, run_tags(settled), dataset, start)


def platform_digest() -> str:
    """Differs where the same candidate may get other scores: versions, machine type."""
    facts = {**library_versions(LIBRARIES), **machine_facts(), "optibench": __version__}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def run_tags(settled: RunSettings) -> dict[str, str]:
    """What a run is told apart by: its question, its data, its sweep, its machine."""
    resolved = redact(dict(settled.config.resolved))  # a digest of secrets could be guessed at
    described = {k: v for k, v in resolved.items() if k not in NOT_IN_DIGEST}
    described["backend"] = {k: v for k, v in described["backend"].items() if k != "keep_alive"}
    digest = hashlib.sha256(
        json.dumps(described, sort_keys=True, default=str).encode()
    ).hexdigest()
    facts = machine_facts()
    tags = {
        "optibench.kind": "benchmark",
        "optibench.version": __version__,
        "optibench.config_digest": digest[:16],
        "optibench.dataset_digest": settled.dataset.digest[:16]
        if isinstance(settled, PreparedRun)
        else "",
        "optibench.sweep_id": os.environ.get("OPTIBENCH_SWEEP_ID", ""),
        "optibench.repeat": os.environ.get("OPTIBENCH_REPEAT", ""),
        "optibench.machine": "; ".join(facts.values()),
        "optibench.deterministic": "true" if _is_deterministic(settled) else "false",
    }
    return {key: value for key, value in tags.items() if value}


def _is_deterministic(settled: RunSettings) -> bool:
    """False where what is evaluated depends on how long it takes."""
    search = settled.config.search
    return search.deterministic and search.max_seconds is None


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
