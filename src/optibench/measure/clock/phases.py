"""The phases of a run on the critical path: wall time, CPU time of the tree, memory."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from optibench.measure.processes.machine import available_memory_bytes, core_capacity
from optibench.measure.processes.memory import MemoryGauge
from optibench.measure.processes.sampler import Peak, Place, Sampler, Scale
from optibench.measure.processes.tree import Look, ProcessTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from optibench.measure.clock.merged import Merged
    from optibench.measure.remote.series import Series
    from optibench.records import Sample

STARTUP: Final = "startup"
SHUTDOWN: Final = "shutdown"
PHASES: Final = (STARTUP, "load", "split", "search", "fit", "score", "tracking")
BETWEEN: Final = "between"  # what samples say where no phase is open
_BOUNDARY_PSS_AGE_SECONDS = 0.5


class Span(NamedTuple):
    """One stretch of one phase; times are seconds since the epoch."""

    phase: str
    start: float
    end: float


@dataclass
class _Tally:
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    counted_seconds: float = 0.0  # the part of `seconds` in which CPU was counted

    def add(self, seconds: float, counted_seconds: float, cpu_seconds: float) -> None:
        self.seconds += seconds
        self.counted_seconds += counted_seconds
        self.cpu_seconds += cpu_seconds


class Recorder:
    """Divides the run into disjoint phases and says what each of them cost.

    The clock starts at `entry`, in the phase `startup`, which ends where the first other phase
    begins. From then on time belongs to the innermost open phase: an inner phase suspends the
    outer one. Time outside every phase belongs to none. A phase may be entered again and again;
    its parts are added up.

    CPU seconds come from the processes' own counters at the phase boundaries, not from samples, so
    that they hold for a phase of 2 ms too. To be used as a context manager, which runs the
    sampler, from one thread.

    Attributes:
        tree: the process tree; `tree.members()` names the processes in it.
        spans: every stretch of every phase so far.
        workers: series of workers elsewhere; samples and metrics have them in.
    """

    def __init__(self, entry: float, entry_cpu_seconds: float | None = None) -> None:
        """Start to count.

        Args:
            entry: `time.perf_counter()` when the program was entered, which may be a while ago.
            entry_cpu_seconds: `time.process_time()` at that moment; by default CPU seconds count
                from now on.
        """
        self.tree = ProcessTree(entry_cpu_seconds)
        self.spans: list[Span] = []
        self.workers: Sequence[Series] = ()
        self._entry = entry
        self._look = self.tree.look()
        self._since = entry
        self._counted_since = self._look.seconds if entry_cpu_seconds is None else entry
        self._cpu_before = 0.0
        self._place = Place(STARTUP, 0)
        self._depth = 0
        self._stopped: Look | None = None
        self._tallies: dict[str, _Tally] = {}
        self._peaks: dict[str, Peak] = {}
        self._gauge = MemoryGauge(self.tree.counters)
        epoch_seconds = time.time() - time.perf_counter()
        self._scale = Scale(core_capacity(), available_memory_bytes(), epoch_seconds)
        self._sampler = Sampler(self.tree, self._gauge, lambda: self._place, self._scale)

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
        """Stop the clock, where it still runs, and the sampler."""
        self.stop()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Give the time of the block to a phase.

        `shutdown` stops the clock first: it lies outside the wall time. After the stop other
        phases count nothing.

        Raises:
            ValueError: for a name that is none of `PHASES` or `SHUTDOWN`.
        """
        if name not in (*PHASES, SHUTDOWN):
            message = f"unknown phase {name!r}; known are {', '.join((*PHASES, SHUTDOWN))}"
            raise ValueError(message)
        if name == SHUTDOWN:
            self.stop()
        outer = self._place.phase if self._depth else BETWEEN
        self._cross(name)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._cross(outer)
            if self._stopped is None:
                # After the boundary: reading page tables takes milliseconds, which are not the
                # phase's.
                weight = self._gauge.weigh(self._look, _BOUNDARY_PSS_AGE_SECONDS)
                self._peak_in(name).add_memory(weight)

    def stop(self) -> None:
        """End the wall time and the sampling; nothing happens the second time."""
        if self._stopped is not None:
            return
        self._cross(BETWEEN)
        self._stopped = self._look
        self._sampler.stop()

    @property
    def start_time(self) -> float:
        """The entry in seconds since the epoch."""
        return self._scale.epoch(self._entry)

    @property
    def samples(self) -> list[Sample]:
        """The samples so far, in the order of time."""
        merged = self._merged()
        return merged.merged_samples() if merged else list(self._sampler.samples)

    @property
    def notes(self) -> list[str]:
        """What could not be measured as it should be, in sentences; empty where all went well."""
        notes = list(self.tree.counters.notes)
        if self._gauge.unreadable and not notes:
            count = len(self._gauge.unreadable)
            notes.append(f"memory of {count} processes is RSS: their PSS may not be read")
        if self._sampler.missed:
            notes.append(f"{self._sampler.missed} resource samples are missing")
        return notes

    def metrics(self) -> dict[str, float]:
        """Sum up: `<phase>_seconds` of every phase, `wall_seconds`, and what the tree used.

        `cpu_percent`, `memory_percent` (0-100 of what the process may use; peaks), `cpu_seconds`
        and `peak_memory_bytes` are given for the run and, with its prefix, for each phase that was
        entered. A phase's CPU peak is the highest sample that lies wholly within it, and never
        below its mean: where no sample fits, it is the mean. The run's peaks are never below a
        phase's.
        """
        if self._stopped is None:
            self._cross(self._place.phase)
        end = self._stopped or self._look
        metrics = {f"{phase}_seconds": self._tally_of(phase).seconds for phase in PHASES}
        metrics["wall_seconds"] = end.seconds - self._entry
        if SHUTDOWN in self._tallies:
            metrics["shutdown_seconds"] = self._tallies[SHUTDOWN].seconds
        whole = Peak()
        whole.merge(self._sampler.peak)
        entered = [phase for phase in PHASES if phase in self._tallies]
        for phase in entered:
            peak = self._peak_of_phase(phase)
            whole.merge(peak)
            cpu_seconds = self._tallies[phase].cpu_seconds
            metrics |= self._resources(f"{phase}_", peak, cpu_seconds)
        metrics |= self._resources("", whole, end.cpu_seconds)
        merged = self._merged()
        return merged.metrics(metrics, self.spans) if merged else metrics

    def _merged(self) -> Merged | None:
        """With the workers elsewhere; None where there are none."""
        if not self.workers:
            return None
        from optibench.measure.clock.merged import Merged
        from optibench.measure.remote.monitor import machine_identity

        samples = list(self._sampler.samples)
        return Merged(tuple(self.workers), samples, self._scale, machine_identity())

    def _cross(self, phase: str) -> None:
        """Close the stretch that is open and open one of `phase`."""
        look = self.tree.look()
        closed = self._place.phase
        if closed != BETWEEN and (self._stopped is None or closed == SHUTDOWN):
            tally = self._tallies.setdefault(closed, _Tally())
            tally.add(
                look.seconds - self._since,
                look.seconds - self._counted_since,
                look.cpu_seconds - self._cpu_before,
            )
            self._peak_in(closed).add_memory(self._gauge.estimate(look))
            start, end = self._scale.epoch(self._since), self._scale.epoch(look.seconds)
            self.spans.append(Span(closed, start, end))
        self._peak_in(phase).add_memory(self._gauge.estimate(look))
        self._look, self._cpu_before = look, look.cpu_seconds
        self._since = self._counted_since = look.seconds
        self._place = Place(phase, self._place.boundary + 1)

    def _tally_of(self, phase: str) -> _Tally:
        return self._tallies.get(phase, _Tally())

    def _peak_in(self, phase: str) -> Peak:
        return self._peaks.setdefault(phase, Peak())

    def _peak_of_phase(self, phase: str) -> Peak:
        tally, peak = self._tallies[phase], Peak()
        peak.merge(self._peak_in(phase))
        peak.merge(self._sampler.peaks.get(phase, Peak()))
        peak.add_cpu(self._scale.cpu_percent(tally.cpu_seconds, tally.counted_seconds))
        return peak

    def _resources(self, prefix: str, peak: Peak, cpu_seconds: float) -> dict[str, float]:
        return {
            f"{prefix}cpu_percent": peak.cpu_percent,
            f"{prefix}memory_percent": self._scale.memory_percent(peak.memory_bytes),
            f"{prefix}cpu_seconds": cpu_seconds,
            f"{prefix}peak_memory_bytes": float(peak.memory_bytes),
        }
