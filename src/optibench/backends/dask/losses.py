"""What a Dask scheduler tells its clients of workers that were lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from optibench.backends.tally import units_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.backends.tally import Tally

TOPIC = "all"  # events of all workers


class Losses:
    """Counts the units of batches whose worker was lost, before their second try can come back.

    The scheduler's own count (`suspicious`) has those too that only waited at the lost worker.
    """

    def __init__(self, client: Any, again: Tally) -> None:
        """Listen to the scheduler's events, and count into `again`."""
        self._again = again
        self._lock = threading.Lock()  # events are heard in a thread of the client's
        self._batches: dict[str, Any] = {}  # under way, in the order in which workers begin them
        self._was_heard = False
        self._client = client
        client.subscribe_topic(TOPIC, self._hear)

    def close(self) -> None:
        """Listen no more; the scheduler would complain of a client that has gone."""
        self._client.unsubscribe_topic(TOPIC)

    def watch(self, key: str, batch: Any) -> None:
        """Count the batch if its worker is lost."""
        with self._lock:
            self._batches[key] = batch

    def forget(self, key: str) -> None:
        """The batch has come back."""
        with self._lock:
            self._batches.pop(key, None)

    def were_heard(self) -> bool:
        """True where work has been lost with a worker since this was last asked."""
        with self._lock:
            heard, self._was_heard = self._was_heard, False
            return heard

    def _hear(self, event: tuple[float, Any]) -> None:
        _, told = event
        action = told.get("action") if isinstance(told, dict) else None
        if action == "remove-worker" and not told["expected"]:
            self._count(told)

    def _count(self, told: Mapping[str, Any]) -> None:
        """A worker has one thread: of the batches that it had, it was at the first."""
        processing, results = told["processing-tasks"], told["lost-computed-tasks"]
        with self._lock:
            self._was_heard |= bool(processing or results)
            begun = [key for key in self._batches if key in processing][:1]
            done = [key for key in self._batches if key in results]
            for key in begun + done:
                self._again.add(units_in(self._batches[key]))
