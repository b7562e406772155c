"""What the watch beside a worker has written down, read in the driver."""

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
    """One look at a worker's tree.

    Attributes:
        time: seconds since the epoch.
        cpu_seconds: used since the watch began.
        pss_bytes: shared pages once; None where it was not read.
    """

    time: float
    cpu_seconds: float
    rss_bytes: int
    pss_bytes: int | None
    processes: int


@dataclass(frozen=True, eq=False)
class Series:
    """The looks at one worker, in the order of time; there is at least one.

    Attributes:
        machine: as `watch.machine_identity` names it.
        root: the process that was watched.
        cores, memory_bytes: what it may use of its machine.
        end: why the watch ended; empty where it was cut off.
        unreadable: so many processes' PSS could not be read; their RSS stands for it.
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
        """Read a file; None where no look is in it. A line that was cut off is left out."""
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
        """The same by a clock that shows `seconds` more."""
        moved = (point._replace(time=point.time + seconds) for point in self.points)
        return replace(self, points=tuple(moved))

    @property
    def last_time(self) -> float:
        """Of the last look."""
        return self.points[-1].time

    def cpu_seconds(self, times: Numbers) -> Numbers:
        """Used up to each moment: nothing before the first look, no more after the last."""
        return np.interp(times, self._column("time"), self._column("cpu_seconds"), left=0.0)

    def memory_bytes_at(self, times: Numbers) -> Numbers:
        """The PSS that was last read, or the RSS where none ever was; 0 outside its life."""
        pss = self._column("pss_bytes")
        was_read = ~np.isnan(pss)
        if not was_read.any():
            return self.rss_bytes_at(times)
        return self._steps(times, self._column("time")[was_read], pss[was_read])

    def rss_bytes_at(self, times: Numbers) -> Numbers:
        """As it was last seen; 0 outside its life."""
        return self._steps(times, self._column("time"), self._column("rss_bytes"))

    def processes_at(self, times: Numbers) -> Numbers:
        """How many there were; 0 outside its life."""
        return self._steps(times, self._column("time"), self._column("processes"))

    @cached_property
    def _table(self) -> Numbers:
        """One row per look; what was not read is NaN."""
        return np.array(self.points, dtype=float)

    def _column(self, name: str) -> Numbers:
        return self._table[:, Point._fields.index(name)]

    def _steps(self, times: Numbers, looked: Numbers, values: Numbers) -> Numbers:
        """The last value at or before each moment; what was lost uses nothing any more."""
        found = np.searchsorted(looked, times, side="right") - 1
        alive = found >= 0
        if self.end == GONE:
            alive &= times < self.last_time
        return np.where(alive, values[np.maximum(found, 0)], 0.0)


def write_workers(path: Path, series: Iterable[Series]) -> None:
    """Write one CSV row per look per worker; a moment without a reading of the PSS is empty."""
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
