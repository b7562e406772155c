"""Measures a run: time and CPU per phase, memory, profiles, the machine.

Read in this order: `phases.py` (the recorder that the benchmark uses), `sampler.py`,
`processes.py` and `memory.py` (what it reads), `counters.py` (where the numbers come from), then
`profiles.py`, `timeline.py`, `machine.py` and `reaper.py`, each of which stands alone. Of workers
that somebody else has started: `monitors.py` and `watch.py` (on their machines), `series.py` and
`merged.py` (in the driver).
"""
