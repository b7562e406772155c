"""Sample the process tree five times a second in a thread of the driver."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from optibench.measure.processes.intervals import INTERVAL_SECONDS, PSS_AGE_SECONDS
from optibench.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.measure.processes.memory import MemoryGauge, MemoryReading
    from optibench.measure.processes.tree import ProcessTree, Snapshot

_MAX_SAMPLES = 9_000  # half an hour at the full rate; a longer run merges neighbours


class OpenPhase(NamedTuple):
    """The open phase of the driver, and the number of phase boundaries passed so far."""

    phase: str
    boundary: int


class Scale(NamedTuple):
    """The units of the results: cores and bytes that make 100 %, and the clock's epoch.

    Attributes:
        cores: core-seconds per second that may be used.
        memory_bytes: bytes that may be used.
        epoch_seconds: seconds since the epoch when `time.perf_counter()` was 0.
    """

    cores: float
    memory_bytes: int
    epoch_seconds: float

    def cpu_percent(self, used_seconds: float, elapsed_seconds: float) -> float:
        """Return the share of the cores in an interval, 0-100."""
        if elapsed_seconds <= 0:
            return 0.0
        # Counters in ticks of 10 ms sometimes give more than 100 for a short interval.
        return min(100.0, 100.0 * used_seconds / (elapsed_seconds * self.cores))

    def epoch(self, seconds: float) -> float:
        """Convert `time.perf_counter()` to seconds since the epoch."""
        return self.epoch_seconds + seconds

    def memory_percent(self, memory_bytes: int) -> float:
        """Return the share of the memory, 0-100."""
        return min(100.0, 100.0 * memory_bytes / self.memory_bytes)


@dataclass
class Peak:
    """The highest values so far; `pss_bytes` is 0 if it was never read."""

    cpu_percent: float = 0.0
    pss_bytes: int = 0
    estimate_bytes: int = 0

    def add_memory(self, reading: MemoryReading) -> None:
        """Include one reading of the memory."""
        self.pss_bytes = max(self.pss_bytes, reading.pss_bytes or 0)
        self.estimate_bytes = max(self.estimate_bytes, reading.memory_bytes)

    def add_cpu(self, cpu_percent: float) -> None:
        """Include the CPU of one interval."""
        self.cpu_percent = max(self.cpu_percent, cpu_percent)

    def merge(self, other: Peak) -> None:
        """Include another peak."""
        self.add_cpu(other.cpu_percent)
        self.pss_bytes = max(self.pss_bytes, other.pss_bytes)
        self.estimate_bytes = max(self.estimate_bytes, other.estimate_bytes)

    @property
    def memory_bytes(self) -> int:
        """The highest PSS, or the highest estimate if it was never read."""
        return self.pss_bytes or self.estimate_bytes


class Sampler:
    """A daemon thread that samples `tree` until it is stopped.

    Attributes:
        samples: in the order of time; a long run merges neighbours so that their number stays at
            `max_samples` or below.
        peaks: per phase, over the samples whose whole interval lies within the phase.
        peak: over all samples.
        missed: number of samples that the system refused (for example: no file descriptors left).
    """

    def __init__(
        self,
        tree: ProcessTree,
        gauge: MemoryGauge,
        open_phase: Callable[[], OpenPhase],
        scale: Scale,
    ) -> None:
        """Prepare; `open_phase` returns the current phase and is called from the thread."""
        self._tree = tree
        self._gauge = gauge
        self._open_phase = open_phase
        self._scale = scale
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="optibench-sampler", daemon=True)
        self._last: tuple[Snapshot, OpenPhase] | None = None
        self._stride = 1
        self.max_samples = _MAX_SAMPLES
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
        """Take a last sample, if due, and end the thread; a second call does nothing."""
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
        snapshot, now = self._tree.snapshot(), self._open_phase()
        cpu_percent = 0.0
        if self._last is not None:
            before, phase_before = self._last
            if snapshot.seconds - before.seconds < least_seconds:
                return
            cpu_percent = self._scale.cpu_percent(
                snapshot.cpu_seconds - before.cpu_seconds, snapshot.seconds - before.seconds
            )
            if now == phase_before:
                self._peak_in(now.phase).add_cpu(cpu_percent)
        self._last = (snapshot, now)
        reading = self._gauge.measure(snapshot, PSS_AGE_SECONDS)
        self._peak_in(now.phase).add_memory(reading)
        self.peak.add_cpu(cpu_percent)
        self.peak.add_memory(reading)
        self._keep(self._record(snapshot, now.phase, cpu_percent, reading))

    def _peak_in(self, phase: str) -> Peak:
        return self.peaks.setdefault(phase, Peak())

    def _record(
        self, snapshot: Snapshot, phase: str, cpu_percent: float, reading: MemoryReading
    ) -> Sample:
        return Sample(
            time=self._scale.epoch(snapshot.seconds),
            phase=phase,
            cpu_percent=cpu_percent,
            memory_percent=self._scale.memory_percent(reading.memory_bytes),
            rss_bytes=snapshot.rss_bytes,
            pss_bytes=reading.pss_bytes,
            processes=len(snapshot.pids),
        )

    def _keep(self, sample: Sample) -> None:
        self._pending.append(sample)
        if len(self._pending) < self._stride:
            return
        self.samples.append(_merged(self._pending))
        self._pending = []
        if len(self.samples) > self.max_samples:
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
