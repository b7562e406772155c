"""The door: the command line and the Python call, which are one code path."""

from optibench.cli.program import main

__all__ = ["main"]
