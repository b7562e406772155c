"""The parts that messages of the validator have in common: values, lists of names, overrides."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_NAMES = 5
UNQUOTED = re.compile(r"(?!(?:null|true|false|nan|inf)$)[A-Za-z_][\w.-]*", re.IGNORECASE)


def plain(value: object) -> object:
    """Convert a NumPy scalar to its Python value, so that a message has 3 and not np.int64(3)."""
    return value.item() if isinstance(value, np.generic) else value


def listed(names: Sequence[str], most: int = MAX_NAMES) -> str:
    """Return the first names, quoted, and the number of the others."""
    shown = ", ".join(repr(name) for name in names[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown


def counted_rows(number: int) -> str:
    """Return the number with "row" or "rows"."""
    return f"{number} row" if number == 1 else f"{number} rows"


def list_override(key: str, names: Iterable[str]) -> str:
    """Return `key=[names]` as it is typed in a shell, with quotes where Hydra needs them."""
    return _in_shell(f"{key}=[{','.join(_hydra_text(name) for name in names)}]")


def override(key: str, name: str) -> str:
    """Return `key=name` as it is typed in a shell, with quotes where Hydra needs them."""
    return _in_shell(f"{key}={_hydra_text(name)}")


def _hydra_text(name: str) -> str:
    if UNQUOTED.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_shell(text: str) -> str:
    return shlex.quote(text) if '"' in text else text
