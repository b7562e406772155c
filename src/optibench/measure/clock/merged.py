"""Adds what workers elsewhere have used to what was measured of the driver's own tree.

CPU seconds of a phase are interpolated at its boundaries. Memory at a moment is that of the
driver's tree at its last look, and of each worker at its own last look. Percentages are of the
cores and the memory of all machines together, each machine once.
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

    from optibench.measure.clock.phases import Span
    from optibench.measure.remote.series import Series
    from optibench.records import Sample

    Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Merged:
    """Series of workers beside the samples of the driver's tree.

    Attributes:
        scale: of the driver's machine.
        machine: its identity, as in the series.
    """

    series: tuple[Series, ...]
    samples: Sequence[Sample]
    scale: Scale
    machine: str

    @cached_property
    def whole(self) -> Scale:
        """All machines together."""
        cores = {self.machine: self.scale.cores}
        memory = {self.machine: self.scale.memory_bytes}
        for one in self.series:
            cores[one.machine] = max(cores.get(one.machine, 0.0), one.cores)
            memory[one.machine] = max(memory.get(one.machine, 0), one.memory_bytes)
        return Scale(sum(cores.values()), sum(memory.values()), self.scale.epoch_seconds)

    def merged_samples(self) -> list[Sample]:
        """The driver's, each with what the workers used in its time."""
        if not self.samples:
            return []
        times = np.array([sample.time for sample in self.samples])
        percents = self._cpu_percents(times)
        remote, rss, processes = self._memory(times), self._rss(times), self._processes(times)
        return [
            replace(
                sample,
                cpu_percent=float(percents[i]),
                memory_percent=self.whole.memory_percent(
                    round(self._own_bytes(sample) + remote[i])
                ),
                rss_bytes=sample.rss_bytes + int(rss[i]),
                pss_bytes=None if sample.pss_bytes is None else sample.pss_bytes + int(remote[i]),
                processes=sample.processes + int(processes[i]),
            )
            for i, sample in enumerate(self.samples)
        ]

    def metrics(self, own: Mapping[str, float], spans: Sequence[Span]) -> dict[str, float]:
        """What `Recorder.metrics` says of the driver's tree, with the workers in it.

        Args:
            own: of the driver's tree alone.
            spans: all stretches of all phases.
        """
        inside = [span for span in spans if f"{span.phase}_cpu_seconds" in own]
        found = dict(own)
        for phase in dict.fromkeys(span.phase for span in inside):
            stretches = [(s.start, s.end) for s in inside if s.phase == phase]
            found |= self._resources(f"{phase}_", own, stretches)
        whole = [(min(s.start for s in inside), max(s.end for s in inside))] if inside else []
        found |= self._resources("", own, whole)
        for name in ("cpu_percent", "memory_percent", "peak_memory_bytes"):
            found[name] = max(value for key, value in found.items() if key.endswith(name))
        return found

    def _resources(
        self, prefix: str, own: Mapping[str, float], stretches: Sequence[tuple[float, float]]
    ) -> dict[str, float]:
        """Of a phase in its stretches; of the run in one, from its beginning to its end."""
        whole = self.whole
        edges = np.array(stretches).reshape(-1, 2)
        remote = self._cpu_seconds(edges[:, 1]) - self._cpu_seconds(edges[:, 0])
        cpu_seconds = own[f"{prefix}cpu_seconds"] + float(remote.sum())
        seconds = float((edges[:, 1] - edges[:, 0]).sum())
        peak = self._peak_bytes(own[f"{prefix}peak_memory_bytes"], stretches)
        percents = [whole.cpu_percent(cpu_seconds, seconds), *self._percents_in(stretches)]
        return {
            f"{prefix}cpu_percent": max(percents),
            f"{prefix}memory_percent": whole.memory_percent(round(peak)),
            f"{prefix}cpu_seconds": cpu_seconds,
            f"{prefix}peak_memory_bytes": peak,
        }

    def _percents_in(self, stretches: Iterable[tuple[float, float]]) -> list[float]:
        """The CPU of samples whose whole interval lies within one stretch."""
        times = np.array([sample.time for sample in self.samples])
        percents = self._cpu_percents(times)
        begins = times[:-1]
        found: list[float] = []
        for start, end in stretches:
            lies_within = (start <= begins) & (times[1:] <= end)
            found += percents[1:][lies_within].tolist()
        return found

    def _peak_bytes(self, own_peak: float, stretches: Iterable[tuple[float, float]]) -> float:
        """The highest sum at one moment; never below the driver's own peak, the workers beside."""
        looked = [np.array([point.time for point in one.points]) for one in self.series]
        read = [s for s in self.samples if s.pss_bytes is not None] or self.samples
        own_times = np.array([sample.time for sample in read])
        own_bytes = np.array([self._own_bytes(sample) for sample in read])
        moments = np.unique(np.concatenate([own_times, *looked]))
        peak = own_peak
        for start, end in stretches:
            at = np.append(moments[(start <= moments) & (moments <= end)], start)
            remote = self._memory(at)
            last = np.searchsorted(own_times, at, side="right") - 1
            own = np.append(own_bytes, 0.0)[last]  # nothing before the first look
            peak = max(peak, float((remote + own).max()), own_peak + float(remote.min()))
        return peak

    def _cpu_percents(self, times: Numbers) -> Numbers:
        """Of all machines' cores, between a sample and the one before it."""
        whole, elapsed = self.whole, np.diff(times, prepend=times[:1])
        own = np.array([sample.cpu_percent for sample in self.samples]) / 100 * self.scale.cores
        used = np.diff(self._cpu_seconds(times), prepend=self._cpu_seconds(times[:1]))
        remote = np.divide(used, elapsed, out=np.zeros(len(used)), where=elapsed > 0)
        return np.minimum(100.0, 100.0 * (own + remote) / whole.cores)

    def _own_bytes(self, sample: Sample) -> float:
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
