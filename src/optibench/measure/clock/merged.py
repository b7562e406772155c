"""Add the resources of remote workers to those of the driver's process tree.

The CPU seconds of a phase are interpolated at its boundaries. The memory at a moment is the sum of
the last known values of the driver's tree and of each worker. Percentages refer to the cores and
the memory of all machines together, each machine counted once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from optibench.measure.processes.sampler import Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from optibench.measure.clock.spans import Span
    from optibench.measure.remote.series import Series
    from optibench.records import Sample

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MergedResources:
    """The samples of the driver's tree, merged with the series of remote workers.

    Attributes:
        series: one per remote worker.
        samples: of the driver's tree, in the order of time.
        scale: cores and memory of the driver's machine.
        machine: identity of the driver's machine, as in the series.
    """

    series: tuple[Series, ...]
    samples: Sequence[Sample]
    scale: Scale
    machine: str

    @cached_property
    def all_machines(self) -> Scale:
        """Cores and memory of all machines together."""
        cores = {self.machine: self.scale.cores}
        memory = {self.machine: self.scale.memory_bytes}
        for worker in self.series:
            cores[worker.machine] = max(cores.get(worker.machine, 0.0), worker.cores)
            memory[worker.machine] = max(memory.get(worker.machine, 0), worker.memory_bytes)
        return Scale(sum(cores.values()), sum(memory.values()), self.scale.epoch_seconds)

    def merged_samples(self) -> list[Sample]:
        """Return the driver's samples with the resources of the workers at the same time added."""
        if not self.samples:
            return []
        times = np.array([sample.time for sample in self.samples])
        percents = self._cpu_percents(times)
        remote, rss, processes = self._memory(times), self._rss(times), self._processes(times)
        return [
            replace(
                sample,
                cpu_percent=float(percents[i]),
                memory_percent=self.all_machines.memory_percent(
                    round(self._driver_bytes(sample) + remote[i])
                ),
                rss_bytes=sample.rss_bytes + int(rss[i]),
                pss_bytes=None if sample.pss_bytes is None else sample.pss_bytes + int(remote[i]),
                processes=sample.processes + int(processes[i]),
            )
            for i, sample in enumerate(self.samples)
        ]

    def metrics(self, driver: Mapping[str, float], spans: Sequence[Span]) -> dict[str, float]:
        """Return the metrics of the driver's tree with the resources of the workers added.

        Args:
            driver: what `Recorder.metrics` returns without remote workers.
            spans: all intervals of all phases.
        """
        inside = [span for span in spans if f"{span.phase}_cpu_seconds" in driver]
        merged = dict(driver)
        for phase in dict.fromkeys(span.phase for span in inside):
            intervals = [(s.start, s.end) for s in inside if s.phase == phase]
            merged |= self._resources(f"{phase}_", driver, intervals)
        run = [(min(s.start for s in inside), max(s.end for s in inside))] if inside else []
        merged |= self._resources("", driver, run)
        for name in ("cpu_percent", "memory_percent", "peak_memory_bytes"):
            merged[name] = max(value for key, value in merged.items() if key.endswith(name))
        return merged

    def _resources(
        self, prefix: str, driver: Mapping[str, float], intervals: Sequence[tuple[float, float]]
    ) -> dict[str, float]:
        """Return the metrics of a phase over its intervals, or of the run over its only one."""
        capacity = self.all_machines
        edges = np.array(intervals).reshape(-1, 2)
        remote = self._cpu_seconds(edges[:, 1]) - self._cpu_seconds(edges[:, 0])
        cpu_seconds = driver[f"{prefix}cpu_seconds"] + float(remote.sum())
        seconds = float((edges[:, 1] - edges[:, 0]).sum())
        peak = self._peak_bytes(driver[f"{prefix}peak_memory_bytes"], intervals)
        percents = [capacity.cpu_percent(cpu_seconds, seconds), *self._percents_in(intervals)]
        return {
            f"{prefix}cpu_percent": max(percents),
            f"{prefix}memory_percent": capacity.memory_percent(round(peak)),
            f"{prefix}cpu_seconds": cpu_seconds,
            f"{prefix}peak_memory_bytes": peak,
        }

    def _percents_in(self, intervals: Iterable[tuple[float, float]]) -> list[float]:
        """Return the CPU percentages of the samples that lie wholly within one interval."""
        times = np.array([sample.time for sample in self.samples])
        percents = self._cpu_percents(times)
        begins = times[:-1]
        inside: list[float] = []
        for start, end in intervals:
            lies_within = (start <= begins) & (times[1:] <= end)
            inside += percents[1:][lies_within].tolist()
        return inside

    def _peak_bytes(self, driver_peak: float, intervals: Iterable[tuple[float, float]]) -> float:
        """Return the highest sum of driver and workers at one moment.

        It is never below the driver's peak plus the lowest memory of the workers.
        """
        worker_times = [np.array([point.time for point in one.points]) for one in self.series]
        read = [s for s in self.samples if s.pss_bytes is not None] or self.samples
        driver_times = np.array([sample.time for sample in read])
        driver_bytes = np.array([self._driver_bytes(sample) for sample in read])
        moments = np.unique(np.concatenate([driver_times, *worker_times]))
        peak = driver_peak
        for start, end in intervals:
            at = np.append(moments[(start <= moments) & (moments <= end)], start)
            remote = self._memory(at)
            last = np.searchsorted(driver_times, at, side="right") - 1
            driver = np.append(driver_bytes, 0.0)[last]  # index -1: before the first sample
            peak = max(peak, float((remote + driver).max()), driver_peak + float(remote.min()))
        return peak

    def _cpu_percents(self, times: Numbers) -> Numbers:
        """Return per sample the share of all machines' cores since the sample before it."""
        elapsed = np.diff(times, prepend=times[:1])
        driver = np.array([sample.cpu_percent for sample in self.samples]) / 100 * self.scale.cores
        used = np.diff(self._cpu_seconds(times), prepend=self._cpu_seconds(times[:1]))
        remote = np.divide(used, elapsed, out=np.zeros(len(used)), where=elapsed > 0)
        return np.minimum(100.0, 100.0 * (driver + remote) / self.all_machines.cores)

    def _driver_bytes(self, sample: Sample) -> float:
        if sample.pss_bytes is not None:
            return sample.pss_bytes
        return sample.memory_percent / 100 * self.scale.memory_bytes

    def _cpu_seconds(self, times: Numbers) -> Numbers:
        return sum((one.cpu_seconds(times) for one in self.series), np.zeros(len(times)))

    def _memory(self, times: Numbers) -> Numbers:
        return sum((one.memory_bytes_at(times) for one in self.series), np.zeros(len(times)))

    def _rss(self, times: Numbers) -> Numbers:
        return sum((one.rss_bytes_at(times) for one in self.series), np.zeros(len(times)))

    def _processes(self, times: Numbers) -> Numbers:
        return sum((one.processes_at(times) for one in self.series), np.zeros(len(times)))
