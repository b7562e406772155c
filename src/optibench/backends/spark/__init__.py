"""backend=spark: broadcast and RDD jobs, on this machine or on a cluster."""

from optibench.backends.spark.backend import SparkBackend

PLUGIN = SparkBackend
