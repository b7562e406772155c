"""What Dask says of the work of a run, by its fine performance metrics (profile/engine.json)."""

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
    "cpu_seconds is that of the thread which runs a task: it lacks threads that the task begins, "
    "and what the worker's event loop does.",
    "A task that failed or was cancelled has all its time as failed_seconds or cancelled_seconds. "
    "Of a worker that was lost the work since its last heartbeat is missing.",
    "Where another program runs tasks of the same names on the cluster meanwhile, Dask puts both "
    "down to one of them.",
    "idle_seconds is what is left of all threads of the cluster from a phase's first task to its "
    "last one; the driver may work meanwhile.",
    "between_workers is of all that the cluster's workers sent each other, kept and spilled from "
    "this run's start on, for other programs too; Dask does not tell it by operation.",
)


class DaskTaskMetrics:
    """Implements `contracts.EngineTaskMetrics`: a span for each phase, inside one of the run."""

    def __init__(self, client: Any) -> None:
        """What is sent by it counts; what workers move does so once it is started."""
        self._client = client
        self.profiler: WorkerProfiler | None = None  # of the calls that are submitted
        self._run = uuid4().hex
        self._phase = "before"
        self._phases = {self._phase: uuid4().hex}
        self._numbers = itertools.count()
        self._moved_before: dict[Any, float] = {}

    def start(self) -> None:
        """Leave out what workers have moved so far; needs all of them."""
        self._moved_before = self._moved()

    def begin(self, phase: str) -> None:
        """The next tasks are of this phase."""
        self._phase = phase
        self._phases.setdefault(phase, uuid4().hex)

    def span(self) -> AbstractContextManager[Any]:
        """Tasks that are sent inside are of the phase, for as long as the block lasts.

        As `distributed.span`, which cannot open the same span again.
        """
        ids = (self._run, self._phases[self._phase])
        annotation: AbstractContextManager[Any] = annotate(
            span={"name": ("optibench", self._phase), "ids": ids}
        )
        return annotation

    def submit(self, function: Callable[..., Any], *arguments: Any, **where: Any) -> Any:
        """Submit a call, which is made whatever was called before.

        Tasks whose names begin alike are one group, and a group is of one span, whoever sends
        them: no other phase, run or program has the beginning that is given here.
        """
        name: Any = funcname  # Dask's functions have no types
        plain = name(function).split("(")[0].strip("_")
        key = (f"{plain}-{self._phases[self._phase]}", next(self._numbers))
        call = (function,) if self.profiler is None else (self.profiler.call, function)
        with self.span():
            return self._client.submit(*call, *arguments, key=key, **where)

    def read(self) -> Mapping[str, Any]:
        """Ask the scheduler, once it has what the workers have measured."""
        moved = self._moved()
        ids = {span: phase for phase, span in self._phases.items()}
        found = self._at_scheduler(scheduler_functions.of_spans, list(ids))
        work, idle = TaskMetricsSums(), {}
        for span, told in found.items():
            phase = ids[span]
            for name, number in told["tasks"]:
                work.add(phase, name, {"tasks": number})
            for (_, prefix, label, unit), value in told["metrics"]:
                if label == IDLE:
                    idle[phase] = value
                else:
                    work.add(phase, prefix, _amounts(label, unit, value))
        return {
            "engine": "dask",
            "version": _version(),
            "source": "the scheduler's fine performance metrics, in a span of this run",
            "notes": list(NOTES),
            **_with_idle(work.told(), idle),
            "between_workers": _difference(moved, self._moved_before),
        }

    def _moved(self) -> dict[Any, float]:
        """After a heartbeat of each worker; one that is just lost has none."""
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
    """By the names that engines have in common."""
    if label in RUN and unit == "seconds":
        cpu = {"cpu_seconds": value} if label == "thread-cpu" else {}
        return {"run_seconds": value, **cpu}
    return {_name(label, unit): value}


def _name(label: Any, unit: str) -> str:
    return f"{label}_{unit}".replace("-", "_").replace("serialize", "serialise")


def _with_idle(told: dict[str, Any], idle: Mapping[str, float]) -> dict[str, Any]:
    for phase, seconds in idle.items():
        told["phases"][phase]["total"]["idle_seconds"] = round(seconds, 6)
    told["total"]["idle_seconds"] = round(sum(idle.values()), 6)
    return told


def _difference(
    after: Mapping[Any, float], before: Mapping[Any, float]
) -> dict[str, dict[str, float]]:
    """By what was done; nothing that was not done."""
    told: dict[str, dict[str, float]] = {}
    for (activity, *what), value in sorted(after.items(), key=_in_order):
        amount = value - before.get((activity, *what), 0)
        if amount > 0:
            told.setdefault(_name(activity, "")[:-1], {})[_name(*what)] = round(amount, 6)
    return told


def _in_order(entry: Iterable[Any]) -> str:
    return str(next(iter(entry)))


def _version() -> str:
    from importlib.metadata import version

    return version("distributed")
