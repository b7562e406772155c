"""What people read of a run: progress, tables, export and the MLflow page."""
