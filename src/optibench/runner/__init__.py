"""Run one benchmark from its settings to its MLflow run."""
