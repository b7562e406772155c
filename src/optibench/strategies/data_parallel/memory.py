"""Estimate the memory that rows take in a worker, and how much of it they may take."""

from __future__ import annotations

from optibench.records import MIB

LIBRARIES_BYTES = 300 * MIB  # of a worker's memory
HELD_SHARE = 0.4  # of the remaining memory, for rows that stay; the rest is for temporary data
ROW_BYTES = 16  # for the class and the position of a row


def room_for_rows(worker_bytes: float) -> float:
    """Return how many bytes of a worker's memory the rows that it keeps between fits may take."""
    return max(0.0, HELD_SHARE * (worker_bytes - LIBRARIES_BYTES))


def bytes_of_rows(n_rows: float, width: int, value_bytes: int) -> float:
    """Return how many bytes rows take in the memory of the workers that keep them.

    Args:
        n_rows: number of rows.
        width: features of a row.
        value_bytes: bytes of one value.
    """
    return n_rows * (width * value_bytes + ROW_BYTES)
