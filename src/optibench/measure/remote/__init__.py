"""Monitor worker processes that another program has started."""
