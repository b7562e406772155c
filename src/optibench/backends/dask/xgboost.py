"""XGBoost on a whole Dask cluster: one task per worker, which trains on the chunks it holds.

It works like `xgboost.dask` (the same tracker and communicator), with one difference: all
candidates of a job are trained in one call, on rows that are quantised once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributed import wait

from optibench.backends.common.rendezvous import rendezvous
from optibench.backends.dask.partitions import TRIES, held_here
from optibench.backends.dask.trainer import DaskTrainer
from optibench.errors import EngineError, FitError
from optibench.models.xgboost_distributed import DistributedXGBoost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from optibench.backends.dask.engine import DaskEngine
    from optibench.contracts import DistributedFit, FitJob, FitSetting, Trainer, TrainerRequest
    from optibench.models.xgboost_distributed import Share


POLL_SECONDS = 2.0  # between two checks for lost workers


class DaskXGBoost(DaskTrainer[DistributedXGBoost]):
    """Implements `contracts.Trainer`."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest) -> None:
        """Create a trainer that holds no rows yet."""
        super().__init__(engine, request, DistributedXGBoost)

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit all candidates in one call; after worker loss repeat the whole call."""
        model, setting = self.request.model, self.request.setting
        shares = self._train_until_done(job)
        yield from self.distributed_fit.gathered(shares, model, job, setting)

    def _train_until_done(self, job: FitJob) -> list[list[Share]]:
        for attempt in range(1, TRIES + 1):
            try:
                with self.partitions.in_use():
                    return self._train(job)
            except EngineError:  # the lost worker was not replaced
                raise
            except Exception as error:
                if self.partitions.all_there():
                    cause = f"{type(error).__name__}: {error}"
                    raise FitError(cause) from error
                lost = error
                if attempt < TRIES:
                    self.engine.retries.add(len(job.candidates))
        msg = (
            f"XGBoost lost a worker in each of {TRIES} attempts (out of memory? Then lower "
            f"backend.workers or raise backend.memory_limit): {lost}"
        )
        raise EngineError(msg) from lost

    def _train(self, job: FitJob) -> list[list[Share]]:
        """Run one task per worker; the tasks wait for each other."""
        client, held = self.engine.client, self.partitions.at_each_worker()
        with rendezvous(len(held), self.engine.driver_address) as tracker_arguments:
            tasks = [
                self.engine.metrics.submit(
                    _train_here,
                    self.distributed_fit,
                    keys,
                    (job, self.request.setting),
                    {**tracker_arguments, "dmlc_task_id": f"{number:06d}"},
                    workers=[worker],
                )
                for number, (worker, keys) in enumerate(held.items())
            ]
            try:
                self._wait(tasks, held)
                return self._gather(tasks, held)
            finally:
                client.cancel(tasks)

    def _wait(self, tasks: list[Any], workers: Iterable[str]) -> None:
        """Wait for all tasks; a task whose partner is lost would wait for it for ever."""
        wait_for: Any = wait  # distributed's functions have no types
        while pending := [task for task in tasks if task.status == "pending"]:
            with suppress(TimeoutError), self.engine.client.as_current():
                wait_for(pending, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            for task in tasks:
                if task.status == "error":
                    task.result()  # raises its error
            if not self.engine.workers.known().issuperset(workers):
                msg = "a Dask worker was lost"
                raise ConnectionError(msg)

    def _gather(self, tasks: list[Any], workers: Iterable[str]) -> list[list[Share]]:
        """Fetch the results, unless a worker ends before its result is fetched."""
        client = self.engine.client
        results = client.gather(tasks, asynchronous=True)
        fetched = asyncio.run_coroutine_threadsafe(results, client.loop.asyncio_loop)
        while True:
            try:
                return list(fetched.result(POLL_SECONDS))
            except TimeoutError:
                if fetched.done():
                    return list(fetched.result())
                if not self.engine.workers.known().issuperset(workers):
                    fetched.cancel()
                    raise


def _train_here(
    distributed_fit: DistributedXGBoost,
    keys: Sequence[str],
    job: tuple[FitJob, FitSetting],
    tracker_arguments: Mapping[str, Any],
) -> list[Share]:
    """Train in a worker, together with the other workers."""
    from xgboost.collective import CommunicatorContext, get_rank

    with CommunicatorContext(**tracker_arguments):
        return distributed_fit(held_here(keys), *job, first=get_rank() == 0)


TRAINER: Callable[[DaskEngine, TrainerRequest], Trainer] = DaskXGBoost
