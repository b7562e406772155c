"""Series of samples that monitors of remote workers have written, as the driver reads them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from optibench.measure.processes.tree import ProcessKey
from optibench.measure.remote.monitor import GONE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_COLUMNS = ("host", "pid", "time", "cpu_seconds", "rss_bytes", "pss_bytes", "processes")


class Point(NamedTuple):
    """One sample of a worker's process tree.

    Attributes:
        time: seconds since the epoch.
        cpu_seconds: used since the monitor began.
        rss_bytes: sum of the resident set sizes.
        pss_bytes: memory with shared pages counted once; None if it was not read.
        processes: number of live processes.
    """

    time: float
    cpu_seconds: float
    rss_bytes: int
    pss_bytes: int | None
    processes: int


@dataclass(frozen=True, eq=False)
class Series:
    """The samples of one worker, in the order of time; there is at least one.

    Attributes:
        host: name of the worker's machine.
        machine: identity of the machine, from `monitor.machine_identity`.
        root: the process that was monitored.
        cores, memory_bytes: what the worker may use of its machine.
        points: the samples.
        end: why the monitor ended; empty if it was cut off.
        unreadable: number of processes whose PSS could not be read; their RSS counts instead.
    """

    host: str
    machine: str
    root: ProcessKey
    cores: float
    memory_bytes: int
    points: tuple[Point, ...]
    end: str = ""
    unreadable: int = 0

    @classmethod
    def parse(cls, text: str) -> Series | None:
        """Read the text of a file, without an incomplete last line; None if it has no sample."""
        lines = text.split("\n")[:-1]
        points = tuple(_point(line) for line in lines[1:] if line[:1].isdigit())
        if not points:
            return None
        facts = json.loads(lines[0])
        last = json.loads(lines[-1]) if lines[-1].startswith("{") else {}
        return cls(
            host=facts["host"],
            machine=facts["machine"],
            root=ProcessKey(facts["pid"], facts["start"]),
            cores=facts["cores"],
            memory_bytes=facts["memory_bytes"],
            points=points,
            end=last.get("end", ""),
            unreadable=last.get("unreadable", 0),
        )

    def moved(self, seconds: float) -> Series:
        """Return the series with `seconds` added to its times."""
        moved = (point._replace(time=point.time + seconds) for point in self.points)
        return replace(self, points=tuple(moved))

    @property
    def last_time(self) -> float:
        """Time of the last sample."""
        return self.points[-1].time

    def cpu_seconds(self, times: Numbers) -> Numbers:
        """Return the CPU seconds used up to each time: 0 before the first sample."""
        return np.interp(times, self._column("time"), self._column("cpu_seconds"), left=0.0)

    def memory_bytes_at(self, times: Numbers) -> Numbers:
        """Return the last known PSS (RSS if it was never read); 0 while the worker is absent."""
        pss = self._column("pss_bytes")
        was_read = ~np.isnan(pss)
        if not was_read.any():
            return self.rss_bytes_at(times)
        return self._steps(times, self._column("time")[was_read], pss[was_read])

    def rss_bytes_at(self, times: Numbers) -> Numbers:
        """Return the last known RSS; 0 while the worker is absent."""
        return self._steps(times, self._column("time"), self._column("rss_bytes"))

    def processes_at(self, times: Numbers) -> Numbers:
        """Return the last known number of processes; 0 while the worker is absent."""
        return self._steps(times, self._column("time"), self._column("processes"))

    @cached_property
    def _table(self) -> Numbers:
        """One row per sample; NaN for what was not read."""
        return np.array(self.points, dtype=float)

    def _column(self, name: str) -> Numbers:
        return self._table[:, Point._fields.index(name)]

    def _steps(self, times: Numbers, sample_times: Numbers, values: Numbers) -> Numbers:
        """Return the last value at or before each time; 0 before the first and after a loss."""
        index = np.searchsorted(sample_times, times, side="right") - 1
        alive = index >= 0
        if self.end == GONE:
            alive &= times < self.last_time
        return np.where(alive, values[np.maximum(index, 0)], 0.0)


def write_workers(path: Path, series: Iterable[Series]) -> None:
    """Write one CSV row per sample and worker; the PSS is empty where it was not read."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for worker in series:
            writer.writerows((worker.host, worker.root.pid, *point) for point in worker.points)


def _point(line: str) -> Point:
    time, cpu_seconds, rss, pss, processes = line.split(",")
    return Point(
        float(time), float(cpu_seconds), int(rss), int(pss) if pss else None, int(processes)
    )
