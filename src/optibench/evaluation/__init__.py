"""Split the table, score predictions and rank candidates, the same for every model and engine."""
