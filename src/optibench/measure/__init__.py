"""Measure a run: time and CPU per phase, memory, profiles, the machine.

Imports between the subpackages go one way, and a module imports only from those below its own:

    timeline     writes the samples of a run as a table and a picture
    clock        phases of a run; adds the resources of remote workers to those of the driver
    remote       monitors of workers that another program has started
    processes    counters, memory and samples of process trees; facts about the machine

`profiles` stands alone: cProfile of trials and calls, and the task metrics of an engine.

Read `clock/phases.py` first: its `Recorder` is what a run uses.
"""
