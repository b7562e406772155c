"""XGBoost on a whole Dask cluster: one task per worker, which trains on the chunks it has.

It is the way of `xgboost.dask` (its tracker, its communicator), with one difference: all
candidates of a job are trained in one go, on rows that are quantised once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optibench.backends.dask.partitions import DaskTrainer
from optibench.backends.meeting import meeting_point
from optibench.errors import EngineError, FitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optibench.contracts import FitJob, WholeFit
    from optibench.records import Chunk

TRIES = 4


class DaskXGBoost(DaskTrainer):
    """Implements `contracts.Trainer`."""

    def fit(self, job: FitJob) -> Iterator[WholeFit]:
        """All candidates in one go; anew, as a whole, where a worker is lost meanwhile."""
        model, setting = self.request.model, self.request.setting
        attempts, of_workers = self._train_until_done(job)
        for fit in model.together.gathered(of_workers, model, job, setting):
            yield replace(fit, attempts=attempts)

    def _train_until_done(self, job: FitJob) -> tuple[int, list[Any]]:
        for attempt in range(1, TRIES + 1):
            workers = self.engine.live_workers()
            try:
                with self.partitions.in_use():
                    return attempt, self._train(job)
            except Exception as error:
                if self.engine.live_workers() == workers:
                    cause = f"{type(error).__name__}: {error}"
                    raise FitError(cause) from error
                lost = error
                self.partitions.hold_again()
        msg = f"XGBoost lost a worker in each of {TRIES} attempts: {lost}"
        raise EngineError(msg) from lost

    def _train(self, job: FitJob) -> list[Any]:
        """One task for every worker; they wait for each other."""
        client, request = self.engine.client, self.request
        held = self.partitions.at_each_worker()
        meeting = meeting_point(len(held), self.engine.own_address)
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


def _train_here(
    together: Any, chunks: Sequence[Chunk], job: tuple[Any, Any], meeting: Mapping[str, Any]
) -> Any:
    """In a worker."""
    from xgboost.collective import CommunicatorContext, get_rank

    with CommunicatorContext(**meeting):
        return together(chunks, *job, first=get_rank() == 0)


TRAINER = DaskXGBoost
