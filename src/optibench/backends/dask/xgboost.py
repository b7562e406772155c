"""XGBoost on a whole Dask cluster: one task per worker, which trains on the chunks it has.

It is the way of `xgboost.dask` (its tracker, its communicator), with one difference: all
candidates of a job are trained in one go, on rows that are quantised once.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

from optibench.backends.dask.partitions import DaskPartitions
from optibench.errors import EngineError, FitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optibench.backends.dask.engine import DaskEngine
    from optibench.contracts import Ask, FitJob, Groups, ReadChunks, TrainerRequest, WholeFit
    from optibench.records import Chunk

TRIES = 4


class DaskXGBoost:
    """Implements `contracts.Trainer`."""

    def __init__(self, engine: DaskEngine, request: TrainerRequest) -> None:
        """Hold nothing yet."""
        self._engine = engine
        self._request = request
        self._partitions = DaskPartitions(engine)

    def hold(self, table: Any, groups: Groups, read: ReadChunks) -> None:
        """In the workers' memory; beyond their limit Dask spills to their disks."""
        self._partitions.hold(table, groups, read)

    def rows(self, ask: Ask) -> Chunk:
        """Gathered, by their order."""
        return self._partitions.rows(ask)

    def fit(self, job: FitJob) -> Iterator[WholeFit]:
        """All candidates in one go; anew, as a whole, where a worker is lost meanwhile."""
        model, setting = self._request.model, self._request.setting
        attempts, of_workers = self._train_until_done(job)
        for fit in model.together.gathered(of_workers, model, job, setting):
            yield replace(fit, attempts=attempts)

    def close(self) -> None:
        """Let go of the chunks."""
        self._partitions.close()

    def _train_until_done(self, job: FitJob) -> tuple[int, list[Any]]:
        for attempt in range(1, TRIES + 1):
            workers = self._engine.live_workers()
            try:
                with self._partitions.in_use():
                    return attempt, self._train(job)
            except Exception as error:
                if self._engine.live_workers() == workers:
                    cause = f"{type(error).__name__}: {error}"
                    raise FitError(cause) from error
                lost = error
                self._partitions.hold_again()
        msg = f"XGBoost lost a worker in each of {TRIES} attempts: {lost}"
        raise EngineError(msg) from lost

    def _train(self, job: FitJob) -> list[Any]:
        """One task for every worker; they wait for each other."""
        client, request = self._engine.client, self._request
        held = self._partitions.at_each_worker()
        meeting = _meeting_point(len(held), self._engine.own_address)
        tasks = [
            client.submit(
                _train_here,
                request.model.together,
                chunks,
                (job, request.setting),
                {**meeting, "dmlc_task_id": f"{number:06d}"},
                workers=[worker],
                pure=False,
            )
            for number, (worker, chunks) in enumerate(held.items())
        ]
        try:
            return list(client.gather(tasks))
        finally:
            client.cancel(tasks)


def _meeting_point(workers: int, host: str) -> Mapping[str, Any]:
    """Start XGBoost's tracker for `workers` in this process; what they need to find it."""
    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()
    # It ends with the workers; where one was lost, the thread waits until the program ends.
    Thread(target=tracker.wait_for, name="xgboost-tracker", daemon=True).start()
    return tracker.worker_args()


def _train_here(
    together: Any, chunks: Sequence[Chunk], job: tuple[Any, Any], meeting: Mapping[str, Any]
) -> Any:
    """In a worker."""
    from xgboost.collective import CommunicatorContext, get_rank

    with CommunicatorContext(**meeting):
        return together(chunks, *job, first=get_rank() == 0)


TRAINER = DaskXGBoost
