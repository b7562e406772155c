"""Access to loky, the process pool inside joblib: the only module that depends on its internals.

joblib has no public pool with futures and an initialiser, so there is no public fallback. With
joblib 1.6 (loky 3.6) this module depends on:

- `joblib.externals.loky` with `ProcessPoolExecutor`, `BrokenProcessPool` and `__version__`;
- the arguments `env` of the executor and `kill_workers` of `shutdown`;
- `process_executor._MAX_MEMORY_LEAK_SIZE`, which a worker reads after each call.

`RestartingPool` also relies on loky's handing out calls in the order in which they were submitted,
and on its failing all of them with `BrokenProcessPool` after it has lost a worker.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from joblib.externals import loky
from joblib.externals.loky import BrokenProcessPool, process_executor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

__all__ = ["BrokenProcessPool", "Executor", "allow_growth", "start_executor", "version"]


class Executor(Protocol):
    """A pool of worker processes, as loky implements it."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """Queue a call.

        Raises:
            BrokenProcessPool: a worker was lost before.
        """

    def shutdown(self, *, wait: bool, kill_workers: bool) -> None:
        """End the workers, and fail the calls that they have not finished."""


def start_executor(
    workers: int,
    initializer: Callable[..., object],
    arguments: tuple[object, ...],
    environment: Mapping[str, str],
) -> Executor:
    """Create a pool, whose workers start with the first call.

    Args:
        workers: number of worker processes.
        initializer: what each worker calls first.
        arguments: of the initialiser.
        environment: variables that the workers get on top of this process's own.
    """
    executor: Executor = loky.ProcessPoolExecutor(
        max_workers=workers, initializer=initializer, initargs=arguments, env=dict(environment)
    )
    return executor


def allow_growth() -> None:
    """In a worker: switch off loky's check for memory leaks.

    loky replaces a worker that has grown by 300 MB. OptiBench's workers grow by the table that
    they map and by the folds that they cache, which have limits of their own.
    """
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf


def version() -> str:
    """Return loky's version; joblib's own says nothing about it."""
    return str(loky.__version__)
