"""Record the phases of a run: wall time on the critical path, CPU time and memory of the tree."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from optibench.measure.clock.spans import Span
from optibench.measure.processes.machine import available_memory_bytes, core_capacity
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.sampler import OpenPhase, Peak, Sampler, Scale
from optibench.measure.processes.tree import ProcessTree, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from optibench.measure.clock.merged import MergedResources
    from optibench.measure.remote.series import Series
    from optibench.records import Sample

STARTUP: Final = "startup"
SHUTDOWN: Final = "shutdown"
PHASES: Final = (STARTUP, "load", "split", "search", "fit", "score", "tracking")
BETWEEN: Final = "between"  # the phase of a sample while no phase is open
_BOUNDARY_PSS_AGE_SECONDS = 0.5


@dataclass
class _PhaseTotal:
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    counted_seconds: float = 0.0  # the part of `seconds` for which CPU time is known

    def add(self, seconds: float, counted_seconds: float, cpu_seconds: float) -> None:
        self.seconds += seconds
        self.counted_seconds += counted_seconds
        self.cpu_seconds += cpu_seconds


class Recorder:
    """Divides a run into disjoint phases and measures the time and resources of each.

    The clock starts at `entry`, in the phase `startup`, which ends when another phase begins.
    From then on time belongs to the innermost open phase: an inner phase suspends the outer one.
    Time outside all phases belongs to none. A phase may be entered several times; its intervals
    are added up.

    CPU seconds come from the counters of the processes at the phase boundaries, not from samples,
    so they are accurate even for a phase of 2 ms. Use the recorder as a context manager, which
    runs the sampler, and from one thread.

    Attributes:
        tree: the process tree; `tree.members()` identifies its processes.
        spans: every interval of every phase so far.
        workers: series of the remote workers, which samples and metrics include.
    """

    def __init__(self, entry: float, entry_cpu_seconds: float | None = None) -> None:
        """Start the clock.

        Args:
            entry: `time.perf_counter()` when the program was entered, possibly in the past.
            entry_cpu_seconds: `time.process_time()` at that moment; None: CPU seconds count from
                now on.
        """
        self.tree = ProcessTree(entry_cpu_seconds)
        self.spans: list[Span] = []
        self.workers: Sequence[Series] = ()
        self._entry = entry
        self._snapshot = self.tree.snapshot()
        self._since = entry
        self._counted_since = self._snapshot.seconds if entry_cpu_seconds is None else entry
        self._cpu_before = 0.0
        self._open_phase = OpenPhase(STARTUP, 0)
        self._depth = 0
        self._stopped: Snapshot | None = None
        self._totals: dict[str, _PhaseTotal] = {}
        self._peaks: dict[str, Peak] = {}
        self._gauge = MemoryGauge(self.tree.counters)
        epoch_seconds = time.time() - time.perf_counter()
        self._scale = Scale(core_capacity(), available_memory_bytes(), epoch_seconds)
        self._sampler = Sampler(self.tree, self._gauge, lambda: self._open_phase, self._scale)

    def __enter__(self) -> Self:
        """Start the sampler."""
        self._sampler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the sampler, and the clock if it still runs."""
        self.stop()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of the `with` block for a phase.

        `shutdown` stops the clock first, because it lies outside the wall time. After the clock
        has stopped, other phases count nothing.

        Raises:
            ValueError: the name is neither in `PHASES` nor `SHUTDOWN`.
        """
        if name not in (*PHASES, SHUTDOWN):
            message = f"unknown phase {name!r}; allowed are {', '.join((*PHASES, SHUTDOWN))}"
            raise ValueError(message)
        if name == SHUTDOWN:
            self.stop()
        outer = self._open_phase.phase if self._depth else BETWEEN
        self._switch_to(name)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._switch_to(outer)
            if self._stopped is None:
                # After the boundary: reading page tables takes milliseconds, which must not
                # count for the phase.
                reading = self._gauge.measure(self._snapshot, _BOUNDARY_PSS_AGE_SECONDS)
                self._peak_in(name).add_memory(reading)

    def stop(self) -> None:
        """End the wall time and the sampling; a second call does nothing."""
        if self._stopped is not None:
            return
        self._switch_to(BETWEEN)
        self._stopped = self._snapshot
        self._sampler.stop()

    @property
    def start_time(self) -> float:
        """The moment of entry, in seconds since the epoch."""
        return self._scale.epoch(self._entry)

    @property
    def samples(self) -> list[Sample]:
        """The samples so far, in the order of time, with the remote workers included."""
        merged = self._merged()
        return merged.merged_samples() if merged else list(self._sampler.samples)

    @property
    def notes(self) -> list[str]:
        """Sentences about what was not measured as intended; empty if everything was."""
        notes = list(self.tree.counters.notes)
        if self._gauge.unreadable and not notes:
            count = len(self._gauge.unreadable)
            notes.append(f"memory of {count} processes is RSS: their PSS cannot be read")
        if self._sampler.missed:
            notes.append(f"{self._sampler.missed} resource samples are missing")
        return notes

    def metrics(self) -> dict[str, float]:
        """Return `<phase>_seconds` of every phase, `wall_seconds` and the resources of the tree.

        The resources are `cpu_percent` and `memory_percent` (peaks, 0-100 of what the process may
        use), `cpu_seconds` and `peak_memory_bytes`: for the run, and with a prefix for each phase
        that was entered. The CPU peak of a phase is the highest sample whose interval lies within
        the phase, or the phase's mean if that is higher or no sample fits. The peaks of the run
        are never below those of a phase.
        """
        if self._stopped is None:
            self._switch_to(self._open_phase.phase)
        end = self._stopped or self._snapshot
        metrics = {f"{phase}_seconds": self._total_of(phase).seconds for phase in PHASES}
        metrics["wall_seconds"] = end.seconds - self._entry
        if SHUTDOWN in self._totals:
            metrics["shutdown_seconds"] = self._totals[SHUTDOWN].seconds
        whole = Peak()
        whole.merge(self._sampler.peak)
        entered = [phase for phase in PHASES if phase in self._totals]
        for phase in entered:
            peak = self._peak_of_phase(phase)
            whole.merge(peak)
            cpu_seconds = self._totals[phase].cpu_seconds
            metrics |= self._resources(f"{phase}_", peak, cpu_seconds)
        metrics |= self._resources("", whole, end.cpu_seconds)
        merged = self._merged()
        return merged.metrics(metrics, self.spans) if merged else metrics

    def _merged(self) -> MergedResources | None:
        """Merge the samples with the series of remote workers; None if there are none."""
        if not self.workers:
            return None
        from optibench.measure.clock.merged import MergedResources
        from optibench.measure.remote.monitor import machine_identity

        samples = list(self._sampler.samples)
        return MergedResources(tuple(self.workers), samples, self._scale, machine_identity())

    def _switch_to(self, phase: str) -> None:
        """End the open interval and begin one of `phase`."""
        snapshot = self.tree.snapshot()
        closed = self._open_phase.phase
        if closed != BETWEEN and (self._stopped is None or closed == SHUTDOWN):
            total = self._totals.setdefault(closed, _PhaseTotal())
            total.add(
                snapshot.seconds - self._since,
                snapshot.seconds - self._counted_since,
                snapshot.cpu_seconds - self._cpu_before,
            )
            self._peak_in(closed).add_memory(self._gauge.estimate(snapshot))
            start, end = self._scale.epoch(self._since), self._scale.epoch(snapshot.seconds)
            self.spans.append(Span(closed, start, end))
        self._peak_in(phase).add_memory(self._gauge.estimate(snapshot))
        self._snapshot, self._cpu_before = snapshot, snapshot.cpu_seconds
        self._since = self._counted_since = snapshot.seconds
        self._open_phase = OpenPhase(phase, self._open_phase.boundary + 1)

    def _total_of(self, phase: str) -> _PhaseTotal:
        return self._totals.get(phase, _PhaseTotal())

    def _peak_in(self, phase: str) -> Peak:
        return self._peaks.setdefault(phase, Peak())

    def _peak_of_phase(self, phase: str) -> Peak:
        total, peak = self._totals[phase], Peak()
        peak.merge(self._peak_in(phase))
        peak.merge(self._sampler.peaks.get(phase, Peak()))
        peak.add_cpu(self._scale.cpu_percent(total.cpu_seconds, total.counted_seconds))
        return peak

    def _resources(self, prefix: str, peak: Peak, cpu_seconds: float) -> dict[str, float]:
        return {
            f"{prefix}cpu_percent": peak.cpu_percent,
            f"{prefix}memory_percent": self._scale.memory_percent(peak.memory_bytes),
            f"{prefix}cpu_seconds": cpu_seconds,
            f"{prefix}peak_memory_bytes": float(peak.memory_bytes),
        }
