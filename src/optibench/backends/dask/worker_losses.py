"""Worker losses as a Dask scheduler reports them to its clients."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from optibench.backends.common.retry_counter import units_in

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from optibench.backends.common.retry_counter import RetryCounter


class WorkerLosses:
    """Counts the units of batches whose worker was lost, before their retry can return.

    The scheduler's own count (`suspicious`) includes batches that only waited at the lost worker.
    Each worker has a topic of its own. On the topic of all workers, distributed (2026.8) sends
    messages that it cannot serialise (of any client's `scatter(broadcast=True)`), and disconnects
    the subscribers.

    Attributes:
        unused_workers: workers of a given cluster that fits on all workers do not use.
    """

    def __init__(self, client: Any, retries: RetryCounter) -> None:
        """Add lost units to `retries`."""
        self._client = client
        self._retries = retries
        self._lock = threading.Lock()  # events arrive in a thread of the client
        self._batches: dict[str, Any] = {}  # in progress, in the order in which workers start them
        self._has_lost_work = False
        self.unused_workers: frozenset[str] = frozenset()
        self._topics: set[str] = set()
        self._gone: set[str] = set()

    @property
    def workers(self) -> int:
        """The number of live workers that are observed."""
        with self._lock:
            return len(self._topics - self._gone)

    def listen(self, workers: Iterable[str]) -> None:
        """Observe these workers, too."""
        for worker in workers:
            if worker not in self._topics:
                self._topics.add(worker)
                self._client.subscribe_topic(worker, partial(self._on_event, worker))

    def close(self) -> None:
        """Unsubscribe; the scheduler would complain about a client that has gone."""
        for worker in self._topics:
            self._client.unsubscribe_topic(worker)

    def watch(self, key: str, batch: Any) -> None:
        """Count the batch if its worker is lost."""
        with self._lock:
            self._batches[key] = batch

    def unwatch(self, key: str) -> None:
        """Stop watching a batch that has returned."""
        with self._lock:
            self._batches.pop(key, None)

    def reset(self, unused_workers: Iterable[str]) -> None:
        """Forget earlier losses; from now on, losses of `unused_workers` do not count."""
        with self._lock:
            self.unused_workers, self._has_lost_work = frozenset(unused_workers), False

    def have_lost_work(self) -> bool:
        """Return True if work was lost with a worker since the last call."""
        with self._lock:
            lost, self._has_lost_work = self._has_lost_work, False
            return lost

    def _on_event(self, worker: str, event: tuple[float, Any]) -> None:
        _, content = event
        action = content.get("action") if isinstance(content, dict) else None
        if action == "remove-worker":
            with self._lock:
                self._gone.add(worker)
                if not content["expected"]:
                    self._count(
                        worker, content["processing-tasks"], content["lost-computed-tasks"]
                    )

    def _count(self, worker: str, processing: Container[str], results: Container[str]) -> None:
        """Count the first batch of the worker, which has one thread, and the lost results."""
        self._has_lost_work |= bool(processing or results) and worker not in self.unused_workers
        started = [key for key in self._batches if key in processing][:1]
        done = [key for key in self._batches if key in results]
        for key in started + done:
            self._retries.add(units_in(self._batches[key]))
