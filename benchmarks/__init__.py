"""Comparisons to be read, never asserted by a test: their numbers depend on the machine."""
