"""A process beside a worker that somebody else has started: it writes down what the worker uses.

    python -m optibench.measure.remote.monitor FILE PID START

No thread of the worker: Spark ends idle Python workers while the executor goes on, what is known
of a killed worker must survive it, and a thread would take turns with the work. The process is
nobody's child, so that it neither counts as a part of the worker nor keeps it from its end.

FILE is a line of facts, then one of numbers for each look (`series.Point`), then the reason of the
end. It runs where only code that has travelled is found: standard library alone.
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
from optibench.measure.processes.machine import available_memory_bytes, core_capacity
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.tree import ProcessKey, ProcessTree

if TYPE_CHECKING:
    from typing import TextIO

INTERVAL_SECONDS = 0.2
PSS_AGE_SECONDS = 2.0
LINES_PER_INTERVAL = 9_000  # then looks are half as frequent: a file of a day has 3 MB
LONGEST_SECONDS = 24 * 3600.0
STARTER_SECONDS = 10.0

STOPPED = "stopped"  # by its run
REPLACED = "another run watches it now"
GONE = "gone"  # the worker is


def stop_path(path: Path) -> Path:
    """The file that asks a watch to end; its content is the reason."""
    return path.with_suffix(".stop")


def machine_identity() -> str:
    """The same for all processes of a machine or a container, for none of another."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    told = boot.read_text().strip() if boot.exists() else platform.node()
    return f"{socket.gethostname()}/{told}"


class Watch:
    """Looks at the tree of one process five times a second until there is a reason to end."""

    def __init__(self, path: Path, root: ProcessKey) -> None:
        """Take what counts as zero.

        Raises:
            OSError: the root is gone, or not to be read.
        """
        self._path = path
        self._root = root
        self._tree = ProcessTree(root=root.pid)
        self._gauge = MemoryGauge(self._tree.counters)
        self._end_seconds = time.monotonic() + LONGEST_SECONDS
        self._interval_seconds = INTERVAL_SECONDS
        self._lines = 0

    def run(self) -> None:
        """Write until the end."""
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
        look, now = self._tree.look(), time.time()
        weight = self._gauge.weigh(look, PSS_AGE_SECONDS)
        pss = "" if weight.pss_bytes is None else weight.pss_bytes
        numbers = (now, look.cpu_seconds, look.rss_bytes, pss, len(look.pids))
        file.write(",".join(map(str, numbers)) + "\n")
        self._lines += 1
        if self._lines % LINES_PER_INTERVAL == 0:
            self._interval_seconds *= 2

    def _wait(self) -> None:
        """In steps, so that a reason is seen soon however long the interval has become."""
        end = time.monotonic() + self._interval_seconds
        while (left := end - time.monotonic()) > 0 and not self._reason():
            time.sleep(min(left, INTERVAL_SECONDS / 2))

    def _reason(self) -> str:
        """Why it ends now; empty while it goes on."""
        reading = self._tree.counters.read(self._root.pid)
        if reading is None or reading.zombie or reading.start != self._root.start:
            return GONE
        if not self._path.exists():
            return STOPPED
        try:
            return stop_path(self._path).read_text(encoding="utf-8").strip() or STOPPED
        except OSError:
            return "too old" if time.monotonic() > self._end_seconds else ""


def main(words: list[str]) -> None:
    """Leave whoever has started this, and watch."""
    path, root = Path(words[0]), ProcessKey(int(words[1]), float(words[2]))
    starter = os.getpid()
    if os.fork():
        os._exit(0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    # What the starter has used counts for the worker once that has waited for it: not in here.
    patience = time.monotonic() + STARTER_SECONDS
    while system_counters().read(starter) is not None and time.monotonic() < patience:
        time.sleep(0.002)
    Watch(path, root).run()


if __name__ == "__main__":
    main(sys.argv[1:])
