"""Record the phases of a run and compute its time and resource metrics."""
