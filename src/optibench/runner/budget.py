"""Divide the cores of a run between workers and their threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optibench.errors import ConfigError
from optibench.measure.processes.machine import available_cores

if TYPE_CHECKING:
    from optibench.contracts import Backend


@dataclass(frozen=True)
class Budget:
    """The cores of a run: workers x threads never exceeds `cores`.

    Attributes:
        cores: what all workers together may use.
        workers: number of workers.
        threads: OpenMP and BLAS threads of each worker.
    """

    cores: int
    workers: int
    threads: int


def make_budget(backend: Backend, cores: int | None) -> Budget:
    """Return the budget for `cores`, where None stands for all usable cores.

    Raises:
        ConfigError: there are fewer cores, or workers x threads is more than `cores`.
    """
    usable = _usable_cores(backend, cores)
    cores = usable if cores is None else cores
    if not 1 <= cores <= usable:
        msg = (
            f"cores={cores}: this process may use {usable}; "
            f"allowed is 1 to {usable}, or null for all."
        )
        raise ConfigError(msg)
    threads = backend.threads_per_trial
    if not 1 <= threads <= cores:
        msg = (
            f"backend.threads_per_trial={threads}: "
            f"allowed is 1 to {cores}, the core budget (cores={cores})."
        )
        raise ConfigError(msg)
    workers = cores // threads if backend.workers is None else backend.workers
    if workers < 1 or workers * threads > cores:
        msg = (
            f"backend.workers={workers} x backend.threads_per_trial={threads} does not fit "
            f"the core budget: allowed is at least 1 worker and workers x threads up to "
            f"cores={cores}."
        )
        raise ConfigError(msg)
    return Budget(cores, workers, threads)


def _usable_cores(backend: Backend, cores: int | None) -> int:
    """Return the cores of this process or, for remote workers, those that are configured."""
    local = available_cores()
    if not backend.is_remote:
        return local
    configured = (backend.workers or 0) * backend.threads_per_trial
    return cores or configured or local
