"""The workers of a Dask cluster that a run can use: those with one thread."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.backends.dask.worker_losses import WorkerLosses

CONNECT_SECONDS = 30.0  # until the first worker has connected to the scheduler
RESTART_SECONDS = 60.0  # a restarted worker imports everything again
NOTICE_SECONDS = 0.5  # until the scheduler has noticed a loss
POLL_SECONDS = 0.1


class DaskWorkers:
    """Asks the scheduler and the workers who is present, and observes the workers from then on."""

    def __init__(self, client: Any, wanted: int, losses: WorkerLosses) -> None:
        """Use at most `wanted` of them.

        Raises:
            EngineError: the cluster has fewer.
        """
        self._client, self._wanted, self._losses = client, wanted, losses
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        n_workers, single = len(self._infos()), self.known()
        if len(single) < wanted:
            msg = (
                f"The Dask cluster has {len(single)} workers with one thread (of {n_workers}), "
                f"fewer than the {wanted} asked for: start them with "
                f"`dask worker --nworkers {wanted} --nthreads 1`, or lower "
                "backend.workers. Trials in threads of one process cannot be measured separately."
            )
            raise EngineError(msg)
        self.first = sorted(single)[:wanted]

    def live(self) -> list[str]:
        """Return the workers to use now, with replacements under new addresses.

        Raises:
            EngineError: a lost worker was not replaced.
        """
        end = time.monotonic() + RESTART_SECONDS
        while len(found := self.known(ready=True)) < self._wanted and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        if len(found) < self._wanted:
            msg = (
                f"Fewer than {self._wanted} Dask workers are left, and none was restarted in "
                f"{RESTART_SECONDS:.0f} s. Their last output is in the artifact logs/ (with "
                "backend.address on the workers' machines; start workers there with a nanny, "
                "which restarts lost ones). Start as many workers again, or lower "
                "backend.workers."
            )
            raise EngineError(msg)
        return sorted(found)[: self._wanted]

    def known(self, *, ready: bool = False) -> set[str]:
        """Return the workers that the scheduler does not know to be lost.

        Args:
            ready: leave out workers that are still starting: their tasks go to others. A paused
                worker accepts tasks and runs them once it continues.
        """
        infos = self._infos()
        found = {name for name, worker in infos.items() if worker["nthreads"] == 1}
        self._losses.listen(found)
        return {name for name in found if not ready or infos[name]["status"] != "init"}

    def answer(self, workers: Sequence[str]) -> bool:
        """Return True if all of these answer; it shows losses before the scheduler knows them."""
        time.sleep(NOTICE_SECONDS)
        if not self.known().issuperset(workers):
            return False
        # Their event loops answer even while a task runs.
        answers = self._client.run(os.getpid, workers=list(workers), on_error="ignore")
        return len(answers) == len(workers) and self.known().issuperset(workers)

    def memory_limits(self, workers: Sequence[str]) -> list[int]:
        """Return the limits in bytes of those workers that are present and have one."""
        infos = [worker for name, worker in self._infos().items() if name in workers]
        return [limit for worker in infos if (limit := worker["memory_limit"])]

    def _infos(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])
