"""Runs whose workers use much CPU and memory, of which one dies where a test wants it."""

from tests.backends.clusters import run_beside

from optibench.runner.worker_monitors import INCOMPLETE

MIB = 2**20
# 300 MiB in each worker from its first fit on; where there is a mark, a worker dies once, or the
# executor that it works for.
HEAVY = """
import os, time

import numpy as np
import psutil
from sklearn.tree import DecisionTreeClassifier

HELD = []


class Tree(DecisionTreeClassifier):
    def fit(self, X, y):
        HELD[:] = HELD or [np.ones(300 * 2**17)]
        if self.max_depth == 3 and "{mark}":
            try:
                os.close(os.open("{mark}", os.O_CREAT | os.O_EXCL))
                ({victim}).kill()
            except FileExistsError:
                pass
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
        return super().fit(X, y)
"""
TUNED = [
    "model=estimator",
    "model.estimator=heavy.Tree",
    "model.space.max_depth=[2,3,4,5]",
    "dataset=iris",
    "profiling=off",
    "progress=false",
]


def write_module(folder, *, mark="", victim="psutil.Process()"):
    """Write the module `heavy`; where there is a mark, it kills the victim once."""
    (folder / "heavy.py").write_text(HEAVY.format(mark=mark, victim=victim))


def heavy_run(folder, *words, mark=""):
    """Beside the cluster, none of whose processes descends from the run."""
    write_module(folder, mark=mark)
    recorded = run_beside(folder, *TUNED, *words)
    rows = [row.split(",") for row in recorded["workers.csv"].splitlines()[1:]]
    return recorded, {pid: [row for row in rows if row[1] == pid] for pid in {r[1] for r in rows}}


def assert_workers_are_in(recorded, looks):
    """Each of 20 trials burns 0.15 s, and each of two workers holds 300 MiB."""
    metrics, trials = recorded["metrics"], recorded["trials_cpu_seconds"]
    used = [[float(row[3]) for row in own] for own in looks.values()]
    assert all(series == sorted(series) for series in used)
    workers = sum(series[-1] for series in used)
    assert 20 * 0.15 <= trials <= min(workers, metrics["search_cpu_seconds"])
    assert metrics["cpu_seconds"] <= recorded["own_cpu_seconds"] + workers + 0.1
    peak = metrics["search_peak_memory_bytes"]
    assert metrics["load_peak_memory_bytes"] + 600 * MIB < peak <= metrics["peak_memory_bytes"]
    assert 0 < metrics["search_cpu_percent"] <= 100
    assert "the resources include remote workers, by a monitor of each" in recorded["notes"]
    assert INCOMPLETE not in recorded["notes"]
