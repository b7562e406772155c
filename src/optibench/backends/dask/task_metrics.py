"""What Dask's fine performance metrics record about a run (profile/engine.json)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dask.base import annotate
from dask.utils import funcname

from optibench.backends.common.task_metrics import TaskMetricsSums
from optibench.backends.dask import scheduler_functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from optibench.contracts import WorkerProfiler

IDLE = "idle or other spans"
RUN = {"thread-cpu", "thread-noncpu"}
NOTES = (
    "cpu_seconds is the CPU time of the thread that runs a task: it excludes threads that the "
    "task starts and the worker's event loop.",
    "The whole time of a task that failed or was cancelled counts as failed_seconds or "
    "cancelled_seconds. The work of a lost worker since its last heartbeat is missing.",
    "If another program runs tasks of the same names on the cluster at the same time, Dask "
    "assigns the tasks of both to one of them.",
    "idle_seconds is the unused time of all threads of the cluster between the first and the last "
    "task of a phase; the driver may work during that time.",
    "between_workers counts what all workers of the cluster sent each other, stored and spilled "
    "since this run started, for other programs too; Dask does not split it by operation.",
)


class DaskTaskMetrics:
    """Implements `contracts.EngineTaskMetrics`: a span per phase, inside one span of the run."""

    def __init__(self, client: Any) -> None:
        """Prepare a new run; the work of tasks counts once they are submitted here."""
        self._client = client
        self.profiler: WorkerProfiler | None = None  # profiles the submitted calls
        self._run = uuid4().hex
        self._phase = "before"
        self._phases = {self._phase: uuid4().hex}
        self._numbers = itertools.count()
        self._moved_before: dict[Any, float] = {}

    def start(self) -> None:
        """Exclude what workers have moved so far; this asks all of them."""
        self._moved_before = self._moved()

    def begin(self, phase: str) -> None:
        """Assign the next tasks to a phase."""
        self._phase = phase
        self._phases.setdefault(phase, uuid4().hex)

    def span(self) -> AbstractContextManager[Any]:
        """Assign tasks that are sent inside the block to the current phase.

        Like `distributed.span`, which cannot open the same span twice.
        """
        ids = (self._run, self._phases[self._phase])
        annotation: AbstractContextManager[Any] = annotate(
            span={"name": ("optibench", self._phase), "ids": ids}
        )
        return annotation

    def submit(self, function: Callable[..., Any], *arguments: Any, **placement: Any) -> Any:
        """Submit a call under a key of its own, so that it runs whatever was called before.

        The scheduler groups tasks by the beginning of their keys and assigns a group to one span,
        whichever client sent them. The beginning chosen here occurs in no other phase, run or
        program.
        """
        name: Any = funcname  # Dask's functions have no types
        plain = name(function).split("(")[0].strip("_")
        key = (f"{plain}-{self._phases[self._phase]}", next(self._numbers))
        call = (function,) if self.profiler is None else (self.profiler.call, function)
        with self.span():
            return self._client.submit(*call, *arguments, key=key, **placement)

    def read(self) -> Mapping[str, object]:
        """Query the scheduler after it has received what the workers have measured."""
        moved = self._moved()
        ids = {span: phase for phase, span in self._phases.items()}
        spans = self._at_scheduler(scheduler_functions.of_spans, list(ids))
        sums, idle = TaskMetricsSums(), {}
        for span, recorded in spans.items():
            phase = ids[span]
            for name, number in recorded["tasks"]:
                sums.add(phase, name, {"tasks": number})
            for (_, prefix, label, unit), value in recorded["metrics"]:
                if label == IDLE:
                    idle[phase] = value
                else:
                    sums.add(phase, prefix, _amounts(label, unit, value))
        return {
            "engine": "dask",
            "version": _version(),
            "source": "the scheduler's fine performance metrics, in a span of this run",
            "notes": list(NOTES),
            **_with_idle(sums.summary(), idle),
            "between_workers": _difference(moved, self._moved_before),
        }

    def _moved(self) -> dict[Any, float]:
        """Return the moved amounts after a heartbeat of each worker; lost workers send none."""
        with _by_value():
            self._client.run(scheduler_functions.beat, on_error="ignore")
        return dict(self._at_scheduler(scheduler_functions.between_workers))

    def _at_scheduler(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _by_value():
            return self._client.run_on_scheduler(function, *arguments)


def _by_value() -> AbstractContextManager[None]:
    from optibench.backends.dask.code_shipping import by_value

    return by_value(scheduler_functions)


def _amounts(label: Any, unit: str, value: float) -> dict[str, float]:
    """Return an amount under the name that all engines use."""
    if label in RUN and unit == "seconds":
        cpu = {"cpu_seconds": value} if label == "thread-cpu" else {}
        return {"run_seconds": value, **cpu}
    return {_name(label, unit): value}


def _name(label: Any, unit: str) -> str:
    return f"{label}_{unit}".replace("-", "_").replace("serialize", "serialise")


def _with_idle(summary: dict[str, Any], idle: Mapping[str, float]) -> dict[str, Any]:
    for phase, seconds in idle.items():
        summary["phases"][phase]["total"]["idle_seconds"] = round(seconds, 6)
    summary["total"]["idle_seconds"] = round(sum(idle.values()), 6)
    return summary


def _difference(
    after: Mapping[Any, float], before: Mapping[Any, float]
) -> dict[str, dict[str, float]]:
    """Return the amounts by activity; activities that did not occur are left out."""
    difference: dict[str, dict[str, float]] = {}
    for (activity, *what), value in sorted(after.items(), key=_sort_key):
        amount = value - before.get((activity, *what), 0)
        if amount > 0:
            difference.setdefault(_name(activity, "")[:-1], {})[_name(*what)] = round(amount, 6)
    return difference


def _sort_key(entry: Iterable[Any]) -> str:
    return str(next(iter(entry)))


def _version() -> str:
    from importlib.metadata import version

    return version("distributed")
