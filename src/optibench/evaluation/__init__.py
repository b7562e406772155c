"""Split, score, rank: the same for every model and engine."""
