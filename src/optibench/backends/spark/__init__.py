"""backend=spark: broadcast and RDD jobs, on this machine or on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.backends.spark.backend import SparkBackend

if TYPE_CHECKING:
    from optibench.contracts import Backend

PLUGIN: type[Backend] = SparkBackend
