"""A connected Dask client as an engine: one executor for each worker."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from optibench.backends import elsewhere, mapped, worker_process
from optibench.backends.dask.losses import Losses
from optibench.backends.dask.memory import NEVER, spill_beyond
from optibench.backends.dask.own_record import DaskRecord
from optibench.backends.tally import Tally
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from optibench.backends.dask.memory import Limits
    from optibench.backends.mapped import MappedFiles
    from optibench.contracts import OwnRecord, Trainer, TrainerRequest, WorkerTask
    from optibench.records import Batch, BatchOutcome, EngineRequest


COME_BACK_SECONDS = 60.0  # a worker that is begun anew imports everything again
HEAR_SECONDS = 0.5  # until the scheduler has heard of a loss
LOOK_SECONDS = 0.1


@dataclass(frozen=True, eq=False)
class Scattered:
    """A value at the workers of a given cluster, and here."""

    future: Any
    value: Any


class DaskEngine:
    """A connected client and the workers that it uses."""

    overhead_seconds = 0.005
    notes: tuple[str, ...] = ()
    persist: str = "MEMORY_AND_DISK"
    rebalance: bool = False
    root_name = "worker"
    bystanders = "the scheduler and the workers' nannies"
    workers_stay = True
    before_batch: Callable[[], object] | None = None

    def __init__(self, client: Any, request: EngineRequest, files: MappedFiles | None) -> None:
        """Use at most `request.workers` of the cluster's workers.

        `files`: for shared data where the workers are on this machine; None: scatter.
        """
        self.client = client
        self._files = files
        client.wait_for_workers(1, timeout=30)
        found = client.scheduler_info(n_workers=-1)["workers"]
        single = sorted(name for name, worker in found.items() if worker["nthreads"] == 1)
        if len(single) < request.workers:
            msg = (
                f"The Dask cluster has {len(single)} workers with one thread (of {len(found)}), "
                f"fewer than the {request.workers} asked for: start them with "
                f"`dask worker --nworkers {request.workers} --nthreads 1`, or lower "
                "backend.workers. Trials in threads of one process cannot be measured apart."
            )
            raise EngineError(msg)
        self._counting = threading.Lock()  # futures end in a thread of the client's
        self._carried: set[str] = set()
        self.clock_offsets: Mapping[str, float] = {}
        # Each worker is a process of its own.
        self.worker_root: Callable[[], int] | None = os.getpid if files is None else None
        self.record = DaskRecord(client)  # what fits on all workers are sent by
        self.again = Tally()
        self.losses = Losses(client, self.again)
        self.losses.listen(single)
        self._held_back: dict[str, Limits] = {}
        self.slots = request.workers
        self._memory_bytes = request.memory_bytes
        self._use(single[: request.workers])

    def _use(self, workers: Sequence[str]) -> None:
        self._workers = workers
        self._executors = {
            worker: self.client.get_executor(
                pure=False, workers=[worker], allow_other_workers=True
            )
            for worker in workers
        }
        self._queued = Counter(dict.fromkeys(workers, 0))

    @property
    def units_run_again(self) -> int:
        """Those of lost batches, and fits on all workers."""
        return self.again.count

    def begin(self, request: EngineRequest) -> None:
        """Import what a trial needs on every worker; our own workers also print to our log."""
        if self._files is None:
            from optibench.backends.dask.code import check_software

            check_software(self.client)
            self.warm(request.modules)
            self._compare_clocks()
            return
        from optibench.backends.dask.beginning import BeginAsOurs
        from optibench.backends.dask.placement import AnyWorkerWillDo

        self.client.register_plugin(AnyWorkerWillDo())
        self.client.register_plugin(BeginAsOurs(str(request.logs), request.modules))

    def warm(self, modules: Sequence[str]) -> None:
        """Import `modules` on every worker; those stand in that have come for lost ones.

        Workers elsewhere get their code first.
        """
        self._use(self.live_workers())
        if self._files is None:
            from optibench.backends.dask.code import carry

            self._carried |= carry(self.client, modules, self._carried)
            names = elsewhere.compared(modules)
            told = self.client.run(elsewhere.describe, names, workers=self._workers)
            elsewhere.check_versions(told.values(), names)
        self.client.run(worker_process.load, modules, workers=self._workers)

    def _compare_clocks(self) -> None:
        before = time.time()
        told = self.client.run(elsewhere.describe, (), workers=self._workers)
        self.clock_offsets = elsewhere.clock_offsets(told.values(), before, time.time())
        self.notes += elsewhere.notes_on(self.clock_offsets)

    def everywhere(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        """In every worker in use; once one of these was lost, any other may have been."""
        in_use = self._workers if self.knows(self._workers) else sorted(self._found())
        return list(self.client.run(function, *arguments, workers=in_use).values())

    def forget(self) -> None:
        """Remove the file that was shared; what was scattered goes with its handle."""
        if self._files is not None:
            self._files.clear()
            self.client.run(mapped.let_go, workers=self.live_workers())

    def hold_back(self, workers: Iterable[str]) -> None:
        """Have some workers spill nothing, until `spill` or the end.

        Chunks that lie in files would be read to be spilled, and free no memory.
        """
        new = [worker for worker in workers if worker not in self._held_back]
        self._held_back |= self.client.run(spill_beyond, NEVER, workers=new) if new else {}

    def spill(self) -> None:
        """Have them spill again as they did before."""
        while self._held_back:
            worker, limits = self._held_back.popitem()
            if self.knows([worker]):
                self.client.run(spill_beyond, limits, workers=[worker], on_error="ignore")

    def close(self) -> None:
        """Leave a given cluster as it was, if it still answers."""
        if self._files is None:
            with suppress(OSError):
                self.spill()
        self.losses.close()

    def share(self, value: Any) -> Any:
        """Map `value` from one file, or scatter it to every worker of a given cluster."""
        if self._files is not None:
            return self._files.write(value)
        workers = self.live_workers()
        future = self.client.scatter(value, broadcast=True, hash=False, workers=workers)
        return Scattered(future, value)

    def view(self, shared: Any) -> Any:
        """Map the file here, too; what was scattered stays as it was."""
        return shared.value if isinstance(shared, Scattered) else mapped.view(shared)

    def submit(self, task: WorkerTask, shared: Any, batch: Batch) -> Future[BatchOutcome]:
        """Queue one batch at the worker with the fewest.

        Left to itself the scheduler, which cannot know how long a batch takes, now and then lets
        one worker wait while two batches are queued at the other.
        """
        if self.losses.workers < self.slots:
            self._found()  # one that has come for a lost one
        with self._counting:
            worker, _ = min(self._queued.items(), key=itemgetter(1))
            self._queued[worker] += 1
        executor, key = self._executors[worker], f"batch-{uuid4().hex}"
        self.losses.watch(key, batch)
        terms = elsewhere.Terms(self.clock_offsets, self.before_batch)
        future: Future[BatchOutcome] = (
            executor.submit(elsewhere.run_on_terms, task, shared.future, batch, terms, key=key)
            if isinstance(shared, Scattered)
            else executor.submit(mapped.run_on_mapped, task, shared, batch, key=key)
        )
        future.add_done_callback(lambda _: self._landed(worker, key))
        return future

    def _landed(self, worker: str, key: str) -> None:
        self.losses.forget(key)
        with self._counting:
            self._queued[worker] -= 1

    def trainer(self, request: TrainerRequest) -> Trainer:
        """What fits a model with all workers at once."""
        trainers = importlib.import_module(f"optibench.backends.dask.{request.model.name}")
        trainer: Trainer = trainers.TRAINER(self, request)
        return trainer

    def own_record(self) -> OwnRecord:
        """From the scheduler; replaces that of an earlier run."""
        self.record = DaskRecord(self.client)
        self.record.start()
        return self.record

    def live_workers(self) -> list[str]:
        """The workers to use now: one that was lost has come back under another address.

        Raises:
            EngineError: it has not.
        """
        end = time.monotonic() + COME_BACK_SECONDS
        while len(found := self._found(ready=True)) < self.slots and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        if len(found) < self.slots:
            msg = (
                f"Fewer than {self.slots} Dask workers are left, and none came up in "
                f"{COME_BACK_SECONDS:.0f} s. Their last words are in the artifact logs/ (on the "
                "workers' machines at backend.address; there start workers with a nanny, which "
                "begins lost ones anew). Run again with as many, or lower backend.workers."
            )
            raise EngineError(msg)
        return sorted(found)[: self.slots]

    def knows(self, workers: Iterable[str]) -> bool:
        """True where the scheduler has not heard that one of these is gone."""
        return self._found().issuperset(workers)

    def has_all(self, workers: Sequence[str]) -> bool:
        """True where all of these answer: a loss may show here before the scheduler knows it."""
        time.sleep(HEAR_SECONDS)
        if not self.knows(workers):
            return False
        # Their event loops answer while they work.
        answers = self.client.run(os.getpid, workers=list(workers), on_error="ignore")
        return len(answers) == len(workers) and self.knows(workers)

    def _found(self, *, ready: bool = False) -> set[str]:
        """The workers of one thread that are up; from now on their end is heard of.

        `ready`: without those that only come up: what is meant for one of these goes to others.
        A paused one is given work, too, which it does once it goes on.
        """
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        found = {name for name, worker in workers.items() if worker["nthreads"] == 1}
        self.losses.listen(found)
        return {name for name in found if not ready or workers[name]["status"] != "init"}

    @property
    def worker_memory_bytes(self) -> int:
        """The least of the workers' limits; for one without, its share of this machine."""
        found = self.client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [worker["memory_limit"] for worker in found if worker["memory_limit"]]
        return int(min(limits, default=self._memory_bytes // self.slots))

    @property
    def own_address(self) -> str:
        """The address of this machine that the workers reach."""
        from distributed import utils

        find: Any = utils.get_ip  # distributed's functions have no types
        host = urlsplit(self.client.scheduler.address).hostname
        return "127.0.0.1" if host in ("127.0.0.1", "localhost") else str(find(host))

    def versions(self) -> Mapping[str, str]:
        """Versions of dask and distributed."""
        from importlib.metadata import version

        return {name: version(name) for name in ("dask", "distributed")}
