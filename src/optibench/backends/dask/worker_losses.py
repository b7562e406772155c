"""What a Dask scheduler tells its clients of workers that were lost."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from optibench.backends.common.retry_counter import units_in

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from optibench.backends.common.retry_counter import RetryCounter


class WorkerLosses:
    """Counts the units of batches whose worker was lost, before their second try can come back.

    The scheduler's own count (`suspicious`) has those too that only waited at the lost worker.
    Each worker has a topic of its own. On the topic of all, distributed (2026.8) sends what it
    cannot serialise (of `scatter(broadcast=True)`, anybody's), and cuts off those who listen.

    Attributes:
        strangers: workers of a given cluster that fits on all workers do not use.
    """

    def __init__(self, client: Any, again: RetryCounter) -> None:
        """Count into `again`."""
        self._client = client
        self._again = again
        self._lock = threading.Lock()  # events are heard in a thread of the client's
        self._batches: dict[str, Any] = {}  # under way, in the order in which workers begin them
        self._was_heard = False
        self.strangers: frozenset[str] = frozenset()
        self._topics: set[str] = set()
        self._gone: set[str] = set()

    @property
    def workers(self) -> int:
        """How many live ones it listens to."""
        with self._lock:
            return len(self._topics - self._gone)

    def listen(self, workers: Iterable[str]) -> None:
        """Hear of the end of these, too."""
        for worker in workers:
            if worker not in self._topics:
                self._topics.add(worker)
                self._client.subscribe_topic(worker, partial(self._hear, worker))

    def close(self) -> None:
        """Listen no more; the scheduler would complain of a client that has gone."""
        for worker in self._topics:
            self._client.unsubscribe_topic(worker)

    def watch(self, key: str, batch: Any) -> None:
        """Count the batch if its worker is lost."""
        with self._lock:
            self._batches[key] = batch

    def forget(self, key: str) -> None:
        """The batch has come back."""
        with self._lock:
            self._batches.pop(key, None)

    def begin_anew(self, strangers: Iterable[str]) -> None:
        """Forget what was heard; from now on nothing counts that goes with one of these."""
        with self._lock:
            self.strangers, self._was_heard = frozenset(strangers), False

    def were_heard(self) -> bool:
        """True where work has been lost with a worker since this was last asked."""
        with self._lock:
            heard, self._was_heard = self._was_heard, False
            return heard

    def _hear(self, worker: str, event: tuple[float, Any]) -> None:
        _, told = event
        action = told.get("action") if isinstance(told, dict) else None
        if action == "remove-worker":
            with self._lock:
                self._gone.add(worker)
                if not told["expected"]:
                    self._count(worker, told["processing-tasks"], told["lost-computed-tasks"])

    def _count(self, worker: str, processing: Container[str], results: Container[str]) -> None:
        """A worker has one thread: of the batches that it had, it was at the first."""
        self._was_heard |= bool(processing or results) and worker not in self.strangers
        begun = [key for key in self._batches if key in processing][:1]
        done = [key for key in self._batches if key in results]
        for key in begun + done:
            self._again.add(units_in(self._batches[key]))
