"""Show runs to people: progress, tables, export and the MLflow UI."""
