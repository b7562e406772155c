"""The monitors of remote workers during a run: started, collected, and described in notes."""

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
INCOMPLETE = "cpu_seconds, peak memory and percentages of the run do not include it"


class WorkerMonitors:
    """Starts a monitor for every remote worker on entry; stops all of them after an error.

    Attributes:
        notes: what is measured and what is not, in sentences; complete after `collect`.
    """

    def __init__(self, engine: Engine, clock: Recorder) -> None:
        """Prepare to monitor the remote workers of `engine`, if it has any, for `clock`."""
        self._remote = engine.remote
        self._clock = clock
        self._token = uuid4().hex
        self._monitored: dict[tuple[str, ProcessKey], MonitoredWorker] = {}
        self._is_active = False
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        """Start the monitors; a failure is noted and does not fail the run."""
        remote = self._remote
        if remote is None:
            return self
        self._is_active, find_root = True, remote.worker_root
        try:
            workers = self._call(remote, BEGIN_SECONDS, monitors.begin, find_root)
        except Exception as error:
            self.notes.append(f"no remote worker is measured ({_reason(error)}): {INCOMPLETE}")
            return self
        self._monitored = {(worker.machine, worker.root): worker for worker in workers}
        if workers and all(map(self._is_descendant, workers)):
            self.stop()
            self.notes.append("the workers descend from this process and are measured with it")
            return self
        remote.before_batch = partial(monitors.ensure, self._token, find_root)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop the monitors of a run that has failed."""
        if self._remote is None or not self._is_active:
            return
        self._remote.before_batch = None
        if kind is not None and self._remote.workers_outlive_run:
            self.stop()

    def stop(self) -> None:
        """Stop the monitors of workers that still answer, and discard their samples."""
        if self._remote is None or not self._is_active:
            return
        self._is_active = False
        try:
            self._call(self._remote, STOP_SECONDS, monitors.remove)
        except Exception as error:
            self.notes.append(
                f"the monitors of the workers could not be stopped ({_reason(error)}): they end "
                "with their workers, with the monitors of the next run, or after a day"
            )

    def collect(self) -> None:
        """Stop the monitors and give their samples to the clock, in the driver's time."""
        remote = self._remote
        if remote is None or not self._is_active:
            return
        remote.before_batch = None
        self._is_active = False
        try:
            answers = self._call(remote, COLLECT_SECONDS, monitors.collect, remote.worker_root)
        except Exception as error:
            self.notes.append(
                f"no samples of remote workers were received ({_reason(error)}): {INCOMPLETE}"
            )
            return
        present = {(one.worker.machine, one.worker.root): one.worker for one in answers}
        # A worker that joined later and has no monitor did no work, unless it gives a reason.
        self._monitored |= {
            key: worker
            for key, worker in present.items()
            if worker.reason and key not in self._monitored
        }
        offsets = remote.clock_offsets
        parsed = [Series.parse(text) for one in answers for text in one.texts]
        series = [one.moved(-offsets.get(one.host, 0.0)) for one in parsed if one is not None]
        self._clock.workers = [one for one in series if not self._is_descendant(one)]
        self.notes += self._describe(remote, self._clock.workers, present.values())

    def _call(
        self,
        remote: RemoteWorkers,
        timeout_seconds: float,
        function: Callable[..., R],
        *arguments: object,
    ) -> list[R]:
        """Call a function in every worker, and wait at most `timeout_seconds` for the answers."""
        answer: Future[list[R]] = Future()

        def call() -> None:
            try:
                answer.set_result(remote.run_on_all_workers(function, self._token, *arguments))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=call, name="optibench-monitors", daemon=True).start()
        return answer.result(timeout_seconds)

    def _is_descendant(self, worker: MonitoredWorker | Series) -> bool:
        """Return whether the worker descends from this process, whose tree includes it already."""
        if worker.machine != machine_identity():
            return False
        self._clock.tree.snapshot()
        return worker.root in self._clock.tree.members()

    def _describe(
        self,
        remote: RemoteWorkers,
        series: Iterable[Series],
        present: Iterable[MonitoredWorker],
    ) -> list[str]:
        """Return sentences on what was measured and what is missing."""
        measured = {(one.machine, one.root): one for one in series}
        hosts = Counter(one.host for one in measured.values())
        notes = []
        if measured:
            counts = ", ".join(f"{count} on {host}" for host, count in sorted(hosts.items()))
            notes.append(
                f"the resources include remote workers, by a monitor of each {remote.root_name} "
                f"({counts}), from the moment the engine was ready until the results were "
                f"written; they do not include {remote.unmeasured_processes}"
            )
        alive = {(worker.machine, worker.root) for worker in present}
        for key, worker in self._monitored.items():
            if key not in measured and not self._is_descendant(worker):
                reason = f" ({worker.reason})" if worker.reason else ""
                notes.append(f"no samples of {_name(worker)}{reason}: {INCOMPLETE}")
        for key, one in measured.items():
            if one.end == GONE and key not in alive:
                notes.append(f"{_name(one)} was lost: its samples end with it")
            elif one.end != STOPPED:
                reason = one.end or "cut off"
                notes.append(f"samples of {_name(one)} end early ({reason}): {INCOMPLETE}")
        unreadable = sum(one.unreadable for one in measured.values())
        if unreadable:
            notes.append(
                f"memory of {unreadable} workers' processes is RSS, because PSS cannot be read"
            )
        return notes


def _name(worker: MonitoredWorker | Series) -> str:
    return f"the worker {worker.root.pid or '(unknown)'} on {worker.host}"


def _reason(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
