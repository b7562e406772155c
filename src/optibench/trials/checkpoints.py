"""Checkpoints of fits, in files, from which larger fits continue.

An asynchronous search may continue any of them until it ends, and a checkpoint of K-means holds a
label of each row: together they can be larger than the table.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class Checkpoints:
    """Pickled fits by key, in a temporary folder."""

    def __init__(self) -> None:
        """Start empty."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._paths: dict[Hashable, Path] = {}
        self._count = 0

    def put(self, key: Hashable, state: bytes) -> None:
        """Store a fit."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="optibench-fits-")
        path = Path(self._folder.name) / str(self._count)
        self._count += 1
        path.write_bytes(state)
        self._paths[key] = path

    def get(self, key: Hashable) -> bytes | None:
        """Return a stored fit, or None."""
        path = self._paths.get(key)
        return None if path is None else path.read_bytes()

    def drop(self, key: Hashable) -> None:
        """Remove a fit that no other fit will continue, if it is stored."""
        path = self._paths.pop(key, None)
        if path is not None:
            path.unlink()

    def close(self) -> None:
        """Remove all fits and their folder."""
        self._paths.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
