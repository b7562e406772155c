"""Tunes and trains models on scikit-learn, Dask and Spark, and measures what really happens.

import optibench
result = optibench.run(["model=kmeans", "backend=dask"])
result.best_params, result.metrics["accuracy"], result.run_id
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench._version import __version__

__all__ = ["Result", "__version__", "plan", "release_engine", "run"]

if TYPE_CHECKING:
    from optibench.cli.program import plan, release_engine, run
    from optibench.records import Result


def __getattr__(name: str) -> Any:
    """Import `run` and `Result` at first use, so that `optibench --help` stays quick."""
    if name in ("plan", "release_engine", "run"):
        from optibench.cli import program

        return getattr(program, name)
    if name == "Result":
        from optibench.records import Result

        return Result
    msg = f"module 'optibench' has no attribute {name!r}"
    raise AttributeError(msg)
