"""Looks at the process tree five times a second, in a thread of the driver."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from optibench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.measure.processes.memory import MemoryGauge, Weight
    from optibench.measure.processes.tree import Look, ProcessTree

INTERVAL_SECONDS = 0.2
_PSS_AGE_SECONDS = 2.0
_MOST_SAMPLES = 9_000  # half an hour at the full rate; neighbours are merged in a longer run


class Place(NamedTuple):
    """Where the driver is: the open phase, and how many phase boundaries lie behind it."""

    phase: str
    boundary: int


class Scale(NamedTuple):
    """What 100 % is: cores and bytes that may be used; and the epoch time of clock zero."""

    cores: float
    memory_bytes: int
    epoch_seconds: float

    def cpu_percent(self, used_seconds: float, elapsed_seconds: float) -> float:
        """Share of the cores in an interval, 0-100."""
        if elapsed_seconds <= 0:
            return 0.0
        # Above 100 is what counters in ticks of 10 ms say of a short interval now and then.
        return min(100.0, 100.0 * used_seconds / (elapsed_seconds * self.cores))

    def epoch(self, seconds: float) -> float:
        """Translate `time.perf_counter()` into seconds since the epoch."""
        return self.epoch_seconds + seconds

    def memory_percent(self, memory_bytes: int) -> float:
        """Share of the memory, 0-100."""
        return min(100.0, 100.0 * memory_bytes / self.memory_bytes)


@dataclass
class Peak:
    """The highest values seen; `pss_bytes` is 0 where none was read."""

    cpu_percent: float = 0.0
    pss_bytes: int = 0
    estimate_bytes: int = 0

    def add_memory(self, weight: Weight) -> None:
        """Take one weight into account."""
        self.pss_bytes = max(self.pss_bytes, weight.pss_bytes or 0)
        self.estimate_bytes = max(self.estimate_bytes, weight.memory_bytes)

    def add_cpu(self, cpu_percent: float) -> None:
        """Take the CPU of one interval into account."""
        self.cpu_percent = max(self.cpu_percent, cpu_percent)

    def merge(self, other: Peak) -> None:
        """Take another peak into account."""
        self.add_cpu(other.cpu_percent)
        self.pss_bytes = max(self.pss_bytes, other.pss_bytes)
        self.estimate_bytes = max(self.estimate_bytes, other.estimate_bytes)

    @property
    def memory_bytes(self) -> int:
        """The highest PSS, or the highest estimate where none was read."""
        return self.pss_bytes or self.estimate_bytes


class Sampler:
    """A daemon thread that samples `tree` until it is stopped.

    Attributes:
        samples: in the order of time; in a long run neighbours are merged so that there are never
            more than `most_samples`.
        peaks: per phase, over the samples whose whole interval lies within it.
        peak: over all samples.
        missed: looks that the system refused (for example: no file descriptors left).
    """

    def __init__(
        self,
        tree: ProcessTree,
        gauge: MemoryGauge,
        place: Callable[[], Place],
        scale: Scale,
    ) -> None:
        """Prepare; `place` says which phase is open and is called from the thread."""
        self._tree = tree
        self._gauge = gauge
        self._place = place
        self._scale = scale
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="optibench-sampler", daemon=True)
        self._last: tuple[Look, Place] | None = None
        self._stride = 1
        self.most_samples = _MOST_SAMPLES
        self._pending: list[Sample] = []
        self.samples: list[Sample] = []
        self.peaks: dict[str, Peak] = {}
        self.peak = Peak()
        self.missed = 0

    def start(self) -> None:
        """Take the first sample and start the thread."""
        self._sample()
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample, if due, and end the thread; nothing happens the second time."""
        if self._stopped.is_set() or self._thread.ident is None:
            return
        self._stopped.set()
        self._thread.join()
        self._sample(least_seconds=INTERVAL_SECONDS / 2)
        if self._pending:
            self.samples.append(_merged(self._pending))

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            try:
                self._sample()
            except OSError:
                self.missed += 1

    def _sample(self, least_seconds: float = 0.0) -> None:
        look, place = self._tree.look(), self._place()
        cpu_percent = 0.0
        if self._last is not None:
            before, place_before = self._last
            if look.seconds - before.seconds < least_seconds:
                return
            cpu_percent = self._scale.cpu_percent(
                look.cpu_seconds - before.cpu_seconds, look.seconds - before.seconds
            )
            if place == place_before:
                self._peak_in(place.phase).add_cpu(cpu_percent)
        self._last = (look, place)
        weight = self._gauge.weigh(look, _PSS_AGE_SECONDS)
        self._peak_in(place.phase).add_memory(weight)
        self.peak.add_cpu(cpu_percent)
        self.peak.add_memory(weight)
        self._keep(self._record(look, place.phase, cpu_percent, weight))

    def _peak_in(self, phase: str) -> Peak:
        return self.peaks.setdefault(phase, Peak())

    def _record(self, look: Look, phase: str, cpu_percent: float, weight: Weight) -> Sample:
        return Sample(
            time=self._scale.epoch(look.seconds),
            phase=phase,
            cpu_percent=cpu_percent,
            memory_percent=self._scale.memory_percent(weight.memory_bytes),
            rss_bytes=look.rss_bytes,
            pss_bytes=weight.pss_bytes,
            processes=len(look.pids),
        )

    def _keep(self, sample: Sample) -> None:
        self._pending.append(sample)
        if len(self._pending) < self._stride:
            return
        self.samples.append(_merged(self._pending))
        self._pending = []
        if len(self.samples) > self.most_samples:
            pairs = [self.samples[at : at + 2] for at in range(0, len(self.samples), 2)]
            self.samples = [_merged(pair) for pair in pairs]
            self._stride *= 2


def _merged(neighbours: list[Sample]) -> Sample:
    if len(neighbours) == 1:
        return neighbours[0]
    read = [sample.pss_bytes for sample in neighbours if sample.pss_bytes is not None]
    return replace(
        neighbours[-1],
        cpu_percent=fmean(sample.cpu_percent for sample in neighbours),
        memory_percent=max(sample.memory_percent for sample in neighbours),
        rss_bytes=max(sample.rss_bytes for sample in neighbours),
        pss_bytes=max(read, default=None),
        processes=max(sample.processes for sample in neighbours),
    )
