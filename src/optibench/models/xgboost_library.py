"""Access to XGBoost's C library: the only module that calls it directly.

`Booster.update` describes the features again in every round, which is a tenth of the time on a few
hundred rows. After one update the rounds that follow call the C function behind it. With XGBoost
3.2 this module depends on:

- `xgboost.libpath.find_lib_path()`, whose first path is the library that the package has loaded;
- the C functions `XGBoosterUpdateOneIter(booster, iteration, matrix)` and `XGBGetLastError()`;
- `Booster.handle` and `DMatrix.handle`, the C pointers.

If one of them is missing, every round calls `Booster.update`: the model is the same to the last
bit.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix

Update = Callable[["Booster", "DMatrix", int], None]


def boost(booster: Booster, matrix: DMatrix, rounds: range) -> None:
    """Boost one round after the other.

    Args:
        booster: continues from its last round.
        matrix: the rows to train on.
        rounds: the numbers of the rounds; a round's number seeds what it draws.

    Raises:
        XGBoostError: XGBoost cannot train on these rows.
    """
    if not rounds:
        return
    booster.update(matrix, rounds[0])  # checks the features, and stores their names
    update = fast_update()
    if update is None or not _has_handles(booster, matrix):
        update = plain_update
    for iteration in rounds[1:]:
        update(booster, matrix, iteration)


def plain_update(booster: Booster, matrix: DMatrix, iteration: int) -> None:
    """Boost one round by the public API."""
    booster.update(matrix, iteration)


@functools.cache
def fast_update() -> Update | None:
    """Return a function that boosts one round by the C library; None if the library has changed.

    The function expects that `Booster.update` has been called once with the same matrix.
    """
    from xgboost.core import XGBoostError

    library = _library()
    if library is None:
        return None

    def update(booster: Booster, matrix: DMatrix, iteration: int) -> None:
        if library.XGBoosterUpdateOneIter(booster.handle, iteration, matrix.handle) != 0:
            raise XGBoostError(library.XGBGetLastError().decode())

    return update


def _library() -> ctypes.CDLL | None:
    try:
        from xgboost.libpath import find_lib_path

        library = ctypes.CDLL(find_lib_path()[0])
        library.XGBoosterUpdateOneIter.argtypes = (
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_void_p,
        )
        library.XGBGetLastError.restype = ctypes.c_char_p
    except (ImportError, IndexError, OSError, AttributeError):  # moved, not found, or renamed
        return None
    return library


def _has_handles(booster: Booster, matrix: DMatrix) -> bool:
    return hasattr(booster, "handle") and hasattr(matrix, "handle")
