"""backend=dask: dask.distributed, on this machine or at an address."""
