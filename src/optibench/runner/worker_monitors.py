"""The watches beside workers that somebody else has started: begun, collected, told about."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import uuid4

from optibench.measure.remote import monitors
from optibench.measure.remote.monitor import GONE, STOPPED, machine_identity
from optibench.measure.remote.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from optibench.contracts import Engine, RemoteWorkers
    from optibench.measure.clock.phases import Recorder
    from optibench.measure.processes.tree import ProcessKey
    from optibench.measure.remote.monitors import MonitoredWorker

R = TypeVar("R")

BEGIN_SECONDS = 60.0
COLLECT_SECONDS = 60.0
STOP_SECONDS = 3.0
LACK = "cpu_seconds, peak memory and percentages of the run lack what it used"


class WorkerMonitors:
    """Begins a watch beside every worker when entered; ends them all when left with an error.

    Attributes:
        notes: what is measured and what is not, in sentences; complete once collected.
    """

    def __init__(self, engine: Engine, clock: Recorder) -> None:
        """Watch the workers of `engine`, if they are elsewhere, for the run of `clock`."""
        self._remote = engine.remote
        self._clock = clock
        self._token = uuid4().hex
        self._watched: dict[tuple[str, ProcessKey], MonitoredWorker] = {}
        self._is_watching = False
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        """Begin."""
        remote = self._remote
        if remote is None:
            return self
        self._is_watching, root = True, remote.worker_root
        try:
            told = self._ask(remote, BEGIN_SECONDS, monitors.begin, root)
        except Exception as error:
            self.notes.append(f"no worker is measured ({_reason(error)}): {LACK}")
            return self
        self._watched = {(worker.machine, worker.root): worker for worker in told}
        if told and all(map(self._is_own, told)):
            self.stop()
            self.notes.append("the workers descend from this process and are measured with it")
            return self
        remote.before_batch = partial(monitors.ensure, self._token, root)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the watches of a run that has failed."""
        if self._remote is None or not self._is_watching:
            return
        self._remote.before_batch = None
        if kind is not None and self._remote.workers_outlive_run:
            self.stop()

    def stop(self) -> None:
        """End the watches, as far as their workers answer; nobody wants what they have written."""
        if self._remote is None or not self._is_watching:
            return
        self._is_watching = False
        try:
            self._ask(self._remote, STOP_SECONDS, monitors.remove)
        except Exception as error:
            self.notes.append(
                f"watches beside the workers could not be ended ({_reason(error)}): they end with "
                "their workers, with the watches of the next run, or after a day"
            )

    def collect(self) -> None:
        """End the watches and hand what they have written to the clock."""
        remote = self._remote
        if remote is None or not self._is_watching:
            return
        remote.before_batch = None
        self._is_watching = False
        try:
            told = self._ask(remote, COLLECT_SECONDS, monitors.collect, remote.worker_root)
        except Exception as error:
            self.notes.append(f"no samples of the workers came back ({_reason(error)}): {LACK}")
            return
        present = {(one.worker.machine, one.worker.root): one.worker for one in told}
        # One that came later and is not watched has had nothing to do, unless it says why.
        self._watched |= {
            key: worker
            for key, worker in present.items()
            if worker.reason and key not in self._watched
        }
        offsets = remote.clock_offsets
        parsed = [Series.parse(text) for one in told for text in one.texts]
        series = [one.moved(-offsets.get(one.host, 0.0)) for one in parsed if one is not None]
        self._clock.workers = [one for one in series if not self._is_own(one)]
        self.notes += self._told(remote, self._clock.workers, present.values())

    def _ask(
        self,
        remote: RemoteWorkers,
        seconds: float,
        function: Callable[..., R],
        *arguments: object,
    ) -> list[R]:
        """Ask every worker, and wait so long at most."""
        answer: Future[list[R]] = Future()

        def ask() -> None:
            try:
                answer.set_result(remote.run_on_all_workers(function, self._token, *arguments))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=ask, name="optibench-watches", daemon=True).start()
        return answer.result(seconds)

    def _is_own(self, worker: MonitoredWorker | Series) -> bool:
        """It descends from this process, whose tree has it already."""
        if worker.machine != machine_identity():
            return False
        self._clock.tree.look()
        return worker.root in self._clock.tree.members()

    def _told(
        self,
        remote: RemoteWorkers,
        series: Iterable[Series],
        present: Iterable[MonitoredWorker],
    ) -> list[str]:
        found = {(one.machine, one.root): one for one in series}
        hosts = Counter(one.host for one in found.values())
        notes = []
        if found:
            many = ", ".join(f"{count} on {host}" for host, count in sorted(hosts.items()))
            notes.append(
                f"workers elsewhere are in the resources by a watch beside each "
                f"{remote.root_name} ({many}), from when the engine was ready until the "
                f"results were written; not in are {remote.unmeasured_processes}"
            )
        still_there = {(worker.machine, worker.root) for worker in present}
        for key, worker in self._watched.items():
            if key not in found and not self._is_own(worker):
                reason = f" ({worker.reason})" if worker.reason else ""
                notes.append(f"no samples of {_name(worker)}{reason}: {LACK}")
        for key, one in found.items():
            if one.end == GONE and key not in still_there:
                notes.append(f"{_name(one)} was lost: its samples end with it")
            elif one.end != STOPPED:
                notes.append(f"samples of {_name(one)} end early ({one.end or 'cut off'}): {LACK}")
        unread = sum(one.unreadable for one in found.values())
        if unread:
            notes.append(f"memory of {unread} workers' processes is RSS: their PSS is not told")
        return notes


def _name(worker: MonitoredWorker | Series) -> str:
    return f"the worker {worker.root.pid or '(unknown)'} on {worker.host}"


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
