"""backend=dask: dask.distributed, on this machine or at an address."""

from optibench.backends.dask.backend import DaskBackend

PLUGIN = DaskBackend
