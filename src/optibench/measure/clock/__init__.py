"""Measure phases, and merge samples of several processes into metrics."""
