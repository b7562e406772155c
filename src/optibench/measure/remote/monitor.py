"""The monitor: a process that samples a worker which another program has started.

    python -m optibench.measure.remote.monitor FILE PID START

The monitor is a process and not a thread of the worker, because Spark ends idle Python workers
while the executor goes on, because the samples must survive a killed worker, and because a thread
would compete with the work. It detaches from the worker, so that it neither counts as a part of
the worker nor keeps it from ending.

FILE gets one line of facts, one line of numbers per sample (`series.Point`), and a line with the
reason for the end. On the worker's machine only shipped code is certain to be importable, so this
module uses the standard library alone.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.measure.processes.counters import system_counters
from optibench.measure.processes.intervals import INTERVAL_SECONDS, PSS_AGE_SECONDS
from optibench.measure.processes.machine import available_memory_bytes, core_capacity
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.tree import ProcessKey, ProcessTree

if TYPE_CHECKING:
    from typing import TextIO

LINES_PER_INTERVAL = 9_000  # then the interval doubles: the file of a day has 3 MB
LONGEST_SECONDS = 24 * 3600.0
STARTER_SECONDS = 10.0

# Reasons for the end of a monitor.
STOPPED = "stopped"  # by its run
REPLACED = "another run monitors it now"
GONE = "gone"  # the worker has ended


def stop_path(path: Path) -> Path:
    """Return the file that asks the monitor of `path` to end; it contains the reason."""
    return path.with_suffix(".stop")


def machine_identity() -> str:
    """Return an identity that all processes of one machine or container share."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    boot_id = boot.read_text().strip() if boot.exists() else platform.node()
    return f"{socket.gethostname()}/{boot_id}"


class Monitor:
    """Samples the tree of one process five times a second until there is a reason to end."""

    def __init__(self, path: Path, root: ProcessKey) -> None:
        """Read the values from which the monitor counts.

        Raises:
            OSError: the root has ended, or its counters cannot be read.
        """
        self._path = path
        self._root = root
        self._tree = ProcessTree(root=root.pid)
        self._gauge = MemoryGauge(self._tree.counters)
        self._end_seconds = time.monotonic() + LONGEST_SECONDS
        self._interval_seconds = INTERVAL_SECONDS
        self._lines = 0

    def run(self) -> None:
        """Write samples until there is a reason to end."""
        with self._path.open("a", encoding="utf-8", buffering=1) as file:
            file.write(json.dumps(self._facts()) + "\n")
            while not (reason := self._reason()):
                self._write(file)
                self._wait()
            if reason != REPLACED and self._path.exists():
                self._write(file)
            end = {"end": reason, "unreadable": len(self._gauge.unreadable)}
            file.write(json.dumps(end) + "\n")

    def _facts(self) -> dict[str, object]:
        return {
            "host": socket.gethostname(),
            "machine": machine_identity(),
            "pid": self._root.pid,
            "start": self._root.start,
            "cores": core_capacity(),
            "memory_bytes": available_memory_bytes(),
        }

    def _write(self, file: TextIO) -> None:
        snapshot, now = self._tree.snapshot(), time.time()
        reading = self._gauge.measure(snapshot, PSS_AGE_SECONDS)
        pss = "" if reading.pss_bytes is None else reading.pss_bytes
        numbers = (now, snapshot.cpu_seconds, snapshot.rss_bytes, pss, len(snapshot.pids))
        file.write(",".join(map(str, numbers)) + "\n")
        self._lines += 1
        if self._lines % LINES_PER_INTERVAL == 0:
            self._interval_seconds *= 2

    def _wait(self) -> None:
        """Wait for one interval, in steps so that a reason to end is noticed soon."""
        end = time.monotonic() + self._interval_seconds
        while (left := end - time.monotonic()) > 0 and not self._reason():
            time.sleep(min(left, INTERVAL_SECONDS / 2))

    def _reason(self) -> str:
        """Return why the monitor has to end; empty while it continues."""
        reading = self._tree.counters.read(self._root.pid)
        if reading is None or reading.zombie or reading.start != self._root.start:
            return GONE
        if not self._path.exists():
            return STOPPED
        try:
            return stop_path(self._path).read_text(encoding="utf-8").strip() or STOPPED
        except OSError:
            return "too old" if time.monotonic() > self._end_seconds else ""


def main(arguments: list[str]) -> None:
    """Detach from the process that has started this one, and monitor the worker."""
    path, root = Path(arguments[0]), ProcessKey(int(arguments[1]), float(arguments[2]))
    starter = os.getpid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    # The CPU time of the starter counts for the worker once the worker has waited for it: begin
    # after that.
    deadline = time.monotonic() + STARTER_SECONDS
    while system_counters().read(starter) is not None and time.monotonic() < deadline:
        time.sleep(0.002)
    Monitor(path, root).run()


if __name__ == "__main__":
    main(sys.argv[1:])
