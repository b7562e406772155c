"""Decides `backend.parallelism=auto`: a pure function of what is known before the search.

Fits side by side (trials) need no talk between workers and keep all cores at work as long as
there are as many fits as workers; each worker then needs the table and room for a fit. One fit on
all workers (data) is what is left for tables that do not fit, and for a single large fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from optibench.errors import ConfigError
from optibench.strategies.data_parallel.memory import MIB, room_for_rows

ROOM = 3  # tables: the one that all share, and two that a fit makes of it
LARGE_BYTES = 512 * MIB  # below, a single fit takes less time than to deal the table out


@dataclass(frozen=True)
class ParallelismInputs:
    """What the choice depends on.

    Attributes:
        table_bytes: encoded, 8 for each value.
        worker_bytes: memory of each worker.
        driver_bytes: memory of this program.
        workers: how many.
        fits: candidates x folds; 0 where there is no search.
        why_no_data: what is in the way of parallelism=data, or None.
        cached_bytes: of the table, in the memory of all workers together, where backend.persist
            keeps it there and nowhere else.
    """

    table_bytes: int
    worker_bytes: int
    driver_bytes: int
    workers: int
    fits: int
    why_no_data: str | None
    cached_bytes: float = 0


@dataclass(frozen=True)
class ParallelismChoice:
    """The way, and a sentence that says why."""

    parallelism: str
    reason: str


def choose(situation: ParallelismInputs) -> ParallelismChoice:
    """Choose the way that fits, and among two that do the faster one.

    Raises:
        ConfigError: none fits.
    """
    table = f"the table of {situation.table_bytes / MIB:.1f} MiB"
    least = min(situation.worker_bytes, situation.driver_bytes)
    room = f"{ROOM} times that, which fits take, {{}} {least / MIB:.0f} MiB"
    why_no_data = situation.why_no_data or _why_no_room(situation)
    if ROOM * situation.table_bytes > least:
        told = f"{table} is too large for every worker: {room.format('is more than')}"
        if why_no_data is None:
            return ParallelismChoice("data", told)
        msg = f"backend.parallelism=auto: {told}. And: {why_no_data}"
        raise ConfigError(msg)
    fits_in = f"{table} is small enough for every worker ({room.format('is at most')})"
    if why_no_data is not None:
        return ParallelismChoice("trials", f"{fits_in}; {why_no_data}")
    if situation.fits < situation.workers and situation.table_bytes >= LARGE_BYTES:
        return ParallelismChoice(
            "data",
            f"{table} is large, and the {situation.fits} fits of the search do not keep "
            f"{situation.workers} workers at work",
        )
    if not situation.fits:
        return ParallelismChoice(
            "trials", f"{fits_in}, and one fit of it is soon done in one place"
        )
    return ParallelismChoice("trials", f"{fits_in}, and {situation.fits} fits keep all at work")


def _why_no_room(situation: ParallelismInputs) -> str | None:
    share, room = situation.cached_bytes / situation.workers, room_for_rows(situation.worker_bytes)
    if share <= room:
        return None
    return (
        f"backend.persist=MEMORY_ONLY would keep {share / MIB:.0f} MiB in each worker, which has "
        f"room for {room / MIB:.0f} MiB beside what fits take; set backend.persist=MEMORY_AND_DISK"
    )
