"""Ships code to the workers of a given Spark master, by Spark's own distribution of files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from optibench.backends.common.code_shipping import archives

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyspark import SparkContext


def ship_code(context: SparkContext, modules: Sequence[str], folder: Path) -> None:
    """Ship the code of `modules` unless it was shipped before.

    It takes precedence over what is installed with the workers. Executors fetch it from `folder`
    when they need it.
    """
    paths = list(sys.path)
    for archive in archives(modules):
        path = folder / archive.filename
        if not path.exists():
            path.write_bytes(archive.content)
            context.addPyFile(str(path))
    sys.path[:] = paths  # PySpark adds the archives to the driver's path, too
