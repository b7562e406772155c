"""backend=spark: broadcast and RDD jobs, on this machine or on a cluster."""
