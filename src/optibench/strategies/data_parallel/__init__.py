"""Runs a benchmark with `backend.parallelism=data`: each fit uses all workers at once."""
