"""Profile Python calls in the driver and in workers."""
