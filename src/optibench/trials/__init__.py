"""Trials: batches on the engine, fits and scores in workers, the refit of the winner."""
