"""Clusters of processes that no run has started."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

# Else an idle worker and its nanny use a twentieth of a core each.
IDLE = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "200ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "2s",
}
START = Path(__file__).parents[2] / "scripts" / "start_cluster.py"
# Python runs it at the start of every process of the cluster: on another machine this package may
# be missing, and the clock be wrong.
ANOTHER_MACHINE = """
import sys, time
from importlib.machinery import PathFinder

class NotInstalled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "optibench":
            return None
        spec = PathFinder.find_spec(name, [entry for entry in sys.path if entry.endswith(".zip")])
        if spec is None:
            raise ModuleNotFoundError("optibench is not installed here")
        return spec

if not any("start_cluster" in word for word in sys.orig_argv):
    here = time.time
    time.time = lambda: here() + AHEAD
    sys.meta_path.insert(0, NotInstalled)
    exec(MORE)
"""


def run(*words):
    """A run and the tracker that has its parameters."""
    tracker = MemoryTracker()
    return benchmark.run(resolve(compose(list(words))), tracker=tracker), tracker


def run_beside(folder, *words):
    """A run in a process of its own, in `folder`; what it has found."""
    code = "import json, sys; from tests.backends.clusters import told_by; "
    code += "print(json.dumps(told_by(sys.argv[1:])))"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(Path(tempfile.gettempdir()).glob("optibench-monitor-*.csv"))
    return json.loads(done.stdout.splitlines()[-1])


def told_by(words):
    """What a test compares of a run."""
    result, tracker = run(*words)
    return {
        "metrics": dict(result.metrics),
        "notes": tracker.params["measurement_notes"],
        "scores": [dict(trial.scores) for trial in result.trials],
        "trials_cpu_seconds": sum(trial.cpu_seconds for trial in result.trials),
        "own_cpu_seconds": sum(os.times()[:4]),
        "workers.csv": tracker.artifacts["resources/workers.csv"].decode(),
    }


@contextmanager
def cluster(*words, **options):
    """What `scripts/start_cluster.py` starts, and the words that lead to it."""
    options["env"] = {**IDLE, **options.get("env", os.environ)}
    with subprocess.Popen(
        [sys.executable, str(START), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        **options,
    ) as process:
        line = process.stdout.readline().strip()
        assert line, "it did not come up"
        try:
            yield line
        finally:
            process.stdin.close()
            process.wait(120)


def another_machine(folder, seconds_ahead=0, more=""):
    """Options for `cluster`: its processes share neither a directory with the driver nor a clock.

    They have the same libraries, but not this package. `more`: what they run at their start, too.
    """
    given = f"AHEAD = {seconds_ahead}\nMORE = {more!r}\n"
    (folder / "sitecustomize.py").write_text(given + ANOTHER_MACHINE)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"cwd": folder, "env": {**os.environ, "PYTHONPATH": path}}
