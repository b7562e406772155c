"""The parameters and tags that a run is created with."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from optibench._version import __version__
from optibench.contracts import Journal
from optibench.measure.processes.machine import library_versions, machine_facts
from optibench.records import RunHeader
from optibench.redaction import redact
from optibench.runner.settings import PreparedRun

if TYPE_CHECKING:
    from pathlib import Path

    from optibench.config.installed import InstalledPlugin
    from optibench.runner.settings import RunSettings

LIBRARIES = ("numpy", "pandas", "scikit-learn", "xgboost", "mlflow", "hydra-core")
NOT_IN_DIGEST = ("tracking", "plan", "progress", "repeats")


def make_header(settings: RunSettings, start: float) -> RunHeader:
    """Return what is known of a run at its creation; facts of the table only once it is loaded."""
    config, budget = settings.config, settings.budget
    dataset = settings.dataset if isinstance(settings, PreparedRun) else None
    params: dict[str, Any] = dict(_dotted(redact(dict(config.resolved))))
    for group in ("model", "backend", "search", "dataset"):
        params[group] = params.pop(f"{group}.name")
    params |= {
        "parallelism": config.backend.parallelism,
        "workers": budget.workers,
        "threads_per_trial": budget.threads,
        "cores": budget.cores,
        "folds": config.evaluation.folds,
        "metric": settings.metric,
        "n_candidates": settings.search.total,
    }
    if dataset is not None:
        params |= {"n_samples": dataset.n_samples, "n_features": dataset.X.shape[1]}
    if settings.reason:
        params["parallelism_reason"] = settings.reason
    params |= {f"version.{name}": value for name, value in _versions(config.installed).items()}
    params |= {f"machine.{name}": value for name, value in machine_facts().items()}
    return RunHeader(config.run_name, params, run_tags(settings), dataset, start)


def journal_of(prepared: PreparedRun, folder: Path) -> Journal:
    """Return where the search of a run is recorded; equal runs have the same journal.

    Runs are equal where configuration, data, number of the repeat, library versions and machine
    type are.
    """
    tags = run_tags(prepared)
    parts = ["optibench.config_digest", "optibench.dataset_digest", "optibench.repeat"]
    digests = [
        *(tags[part] for part in parts if part in tags),
        platform_digest(_versions(prepared.config.installed)),
    ]
    return Journal(folder, "-".join([prepared.config.run_name, *digests]))


def platform_digest(versions: Mapping[str, str]) -> str:
    """Return a digest of what else scores depend on: library versions and machine type."""
    facts = {**versions, **machine_facts(), "optibench": __version__}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def run_tags(settings: RunSettings) -> dict[str, str]:
    """Return the tags of a run: digests of configuration and data, its sweep, its machine."""
    resolved = redact(dict(settings.config.resolved))  # a secret could be guessed from its digest
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
        "optibench.dataset_digest": settings.dataset.digest[:16]
        if isinstance(settings, PreparedRun)
        else "",
        "optibench.sweep_id": os.environ.get("OPTIBENCH_SWEEP_ID", ""),
        "optibench.repeat": os.environ.get("OPTIBENCH_REPEAT", ""),
        "optibench.machine": "; ".join(facts.values()),
        "optibench.deterministic": "true" if _is_deterministic(settings) else "false",
    }
    return {key: value for key, value in tags.items() if value}


def _is_deterministic(settings: RunSettings) -> bool:
    """Return False where the evaluated candidates depend on how long trials take."""
    search = settings.config.search
    return search.deterministic and search.max_seconds is None


def _versions(installed: Mapping[str, InstalledPlugin]) -> dict[str, str]:
    """Return the versions of the libraries, and of packages whose plug-ins are chosen."""
    packages = {plugin.package: plugin.version for plugin in installed.values()}
    return {**library_versions(LIBRARIES), **packages}


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
