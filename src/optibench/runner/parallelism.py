"""Choose between trials and data for `backend.parallelism=auto`, before the search starts.

Trial-parallel fits need no communication between workers and use all cores as long as there are at
least as many fits as workers, but each worker needs the table and memory for a fit. Data-parallel
fits serve tables that do not fit into a worker, and a single fit of a large table.
"""

from __future__ import annotations

from dataclasses import dataclass

from optibench.errors import ConfigError
from optibench.records import MIB
from optibench.strategies.data_parallel.memory import room_for_rows

ROOM = 3  # tables: the shared one, and two copies that a fit makes
LARGE_BYTES = 512 * MIB  # a single fit of a smaller table is faster than distributing the table


@dataclass(frozen=True)
class ParallelismInputs:
    """What the choice depends on.

    Attributes:
        table_bytes: size of the encoded table, 8 bytes for each value.
        worker_bytes: memory of each worker.
        driver_bytes: memory of this process.
        workers: number of workers.
        fits: candidates x folds; 0 where there is no search.
        why_no_data: why parallelism=data is impossible, or None.
        held_bytes: size of the table in the memory of all workers together, where
            backend.persist=MEMORY_ONLY keeps it in memory alone; else 0.
    """

    table_bytes: int
    worker_bytes: int
    driver_bytes: int
    workers: int
    fits: int
    why_no_data: str | None
    held_bytes: float = 0


@dataclass(frozen=True)
class ParallelismChoice:
    """The chosen parallelism, and a sentence that says why."""

    parallelism: str
    reason: str


def choose(inputs: ParallelismInputs) -> ParallelismChoice:
    """Choose what fits into memory and, where both fit, what is faster.

    Raises:
        ConfigError: neither fits.
    """
    table = f"the table of {inputs.table_bytes / MIB:.1f} MiB"
    least = min(inputs.worker_bytes, inputs.driver_bytes)
    room = f"{ROOM} times its size is {{}} the {least / MIB:.0f} MiB of the smallest process"
    why_no_data = inputs.why_no_data or _why_no_room(inputs)
    if ROOM * inputs.table_bytes > least:
        too_large = f"{table} is too large for every worker: {room.format('more than')}"
        if why_no_data is None:
            return ParallelismChoice("data", too_large)
        msg = f"backend.parallelism=auto: {too_large}. And: {why_no_data}"
        raise ConfigError(msg)
    fits_in = f"{table} is small enough for every worker ({room.format('at most')})"
    if why_no_data is not None:
        return ParallelismChoice("trials", f"{fits_in}; {why_no_data}")
    if inputs.fits < inputs.workers and inputs.table_bytes >= LARGE_BYTES:
        return ParallelismChoice(
            "data",
            f"{table} is large, and the {inputs.fits} fits of the search do not keep "
            f"{inputs.workers} workers busy",
        )
    if not inputs.fits:
        return ParallelismChoice(
            "trials", f"{fits_in}, and a single fit of it is fast on one worker"
        )
    return ParallelismChoice("trials", f"{fits_in}, and {inputs.fits} fits keep all workers busy")


def _why_no_room(inputs: ParallelismInputs) -> str | None:
    share, room = inputs.held_bytes / inputs.workers, room_for_rows(inputs.worker_bytes)
    if share <= room:
        return None
    return (
        f"backend.persist=MEMORY_ONLY would keep {share / MIB:.0f} MiB in each worker, which has "
        f"room for {room / MIB:.0f} MiB besides the memory of fits; "
        "set backend.persist=MEMORY_AND_DISK"
    )
