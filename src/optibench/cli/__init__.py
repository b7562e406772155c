"""The command line and the Python API, which share one code path."""

from optibench.cli.program import main

__all__ = ["main"]
