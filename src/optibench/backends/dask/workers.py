"""The workers of a Dask cluster that a run can use: those with one thread."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.backends.dask.worker_losses import WorkerLosses

FIRST_SECONDS = 30.0  # until a worker has come to the scheduler
COME_BACK_SECONDS = 60.0  # a worker that is begun anew imports everything again
HEAR_SECONDS = 0.5  # until the scheduler has heard of a loss
LOOK_SECONDS = 0.1


class DaskWorkers:
    """Asks the scheduler and the workers who is there; from then on their ends are heard of."""

    def __init__(self, client: Any, wanted: int, losses: WorkerLosses) -> None:
        """Use at most `wanted` of them.

        Raises:
            EngineError: the cluster has fewer.
        """
        self._client, self._wanted, self._losses = client, wanted, losses
        client.wait_for_workers(1, timeout=FIRST_SECONDS)
        n_found, single = len(self._told()), self.known()
        if len(single) < wanted:
            msg = (
                f"The Dask cluster has {len(single)} workers with one thread (of {n_found}), "
                f"fewer than the {wanted} asked for: start them with "
                f"`dask worker --nworkers {wanted} --nthreads 1`, or lower "
                "backend.workers. Trials in threads of one process cannot be measured apart."
            )
            raise EngineError(msg)
        self.first = sorted(single)[:wanted]

    def live(self) -> list[str]:
        """Those to use now: one that was lost has come back under another address.

        Raises:
            EngineError: it has not.
        """
        end = time.monotonic() + COME_BACK_SECONDS
        while len(found := self.known(ready=True)) < self._wanted and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        if len(found) < self._wanted:
            msg = (
                f"Fewer than {self._wanted} Dask workers are left, and none came up in "
                f"{COME_BACK_SECONDS:.0f} s. Their last words are in the artifact logs/ (on the "
                "workers' machines at backend.address; there start workers with a nanny, which "
                "begins lost ones anew). Run again with as many, or lower backend.workers."
            )
            raise EngineError(msg)
        return sorted(found)[: self._wanted]

    def known(self, *, ready: bool = False) -> set[str]:
        """Those that the scheduler has not heard the end of, with those that only come up.

        `ready`: without these: what is meant for one of them goes to others. A paused one is
        given work, too, which it does once it goes on.
        """
        told = self._told()
        found = {name for name, worker in told.items() if worker["nthreads"] == 1}
        self._losses.listen(found)
        return {name for name in found if not ready or told[name]["status"] != "init"}

    def answer(self, workers: Sequence[str]) -> bool:
        """True where all of these do: a loss may show here before the scheduler knows it."""
        time.sleep(HEAR_SECONDS)
        if not self.known().issuperset(workers):
            return False
        # Their event loops answer while they work.
        answers = self._client.run(os.getpid, workers=list(workers), on_error="ignore")
        return len(answers) == len(workers) and self.known().issuperset(workers)

    def memory_limits(self, workers: Sequence[str]) -> list[int]:
        """Of those among these that are there and have one, in bytes."""
        told = [worker for name, worker in self._told().items() if name in workers]
        return [limit for worker in told if (limit := worker["memory_limit"])]

    def _told(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])
