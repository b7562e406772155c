"""Monitor worker processes that other programs have started."""
