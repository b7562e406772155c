"""Run one fit after the other, each on all workers (`backend.parallelism=data`)."""
