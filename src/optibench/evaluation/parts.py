"""Split a table that no process holds whole: a hash of seed, file and row decides each row's part.

So every engine, with any number of workers, holds out the same rows and makes the same folds, and
adding a file does not change the parts of other rows. The sizes of the parts match the requested
shares on average; classes are not stratified.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from optibench.records import HELD_OUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SAMPLING = np.uint64(0xD1B54A32D192ED03)  # makes the sampling order independent of the parts
KEY_COUNT = 2.0**64


@dataclass(frozen=True)
class PartPlan:
    """How rows are assigned to parts.

    Attributes:
        seed: of the hash.
        test_size: share of the rows that are held out.
        folds: number of parts of the other rows; 1 without a search.
    """

    seed: int
    test_size: float
    folds: int


def row_keys(seed: int, file: str, first_row: int, n_rows: int) -> Keys:
    """Return (n_rows,) uniform 64-bit keys of consecutive rows of `file`.

    The key is splitmix64 (Steele, Lea and Flood, 2014) of the row's number, started from the
    BLAKE2b hash of seed and file.
    """
    digest = hashlib.blake2b(f"{seed}\0{file}".encode(), digest_size=8).digest()
    start = np.frombuffer(digest, dtype="<u8")[0].astype(np.uint64)
    with np.errstate(over="ignore"):
        rows = np.arange(first_row, first_row + n_rows, dtype=np.uint64)
        return _mix(start + rows * GOLDEN)


def part_numbers(keys: Keys, plan: PartPlan) -> NDArray[np.int16]:
    """Return the (n,) parts of rows: HELD_OUT, or the number of the fold that they validate."""
    uniform = keys / KEY_COUNT
    in_train = (uniform - plan.test_size) / (1.0 - plan.test_size)
    folds = np.minimum(np.floor(in_train * plan.folds), plan.folds - 1)
    return np.where(uniform < plan.test_size, HELD_OUT, folds).astype(np.int16)


def sampling_order(keys: Keys) -> Keys:
    """Return the (n,) positions of rows in a seeded order that is independent of their parts."""
    with np.errstate(over="ignore"):
        return _mix(keys ^ SAMPLING)


def sample_limit(n_rows: int, wanted: int) -> int:
    """Return the order below which rows are sampled: about `wanted` of `n_rows`, or all."""
    if n_rows <= wanted:
        return 2**64
    return int(wanted / n_rows * KEY_COUNT)


def _mix(keys: Keys) -> Keys:
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
