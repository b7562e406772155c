"""backend=dask: dask.distributed, on this machine or at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.backends.dask.backend import DaskBackend

if TYPE_CHECKING:
    from optibench.contracts import Backend

PLUGIN: type[Backend] = DaskBackend
