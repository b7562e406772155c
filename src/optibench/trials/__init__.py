"""Trials: batched over the engine, fitted and scored in workers, the winner refitted."""
