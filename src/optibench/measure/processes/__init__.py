"""Measure the CPU and memory of a process tree."""
