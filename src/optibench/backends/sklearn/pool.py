"""loky's workers, begun anew where one of them was lost.

loky takes a worker that is killed for the end of the pool: it kills the others, and fails all
that was queued or running. Here the pool is begun anew and the same calls are made again.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from joblib.externals.loky.process_executor import BrokenProcessPool

from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 4  # as Dask and Spark have it


class Call(Future[Any]):
    """A call of a worker, which outlives the pool that it was made to.

    Attributes:
        inner: loky's future of it.
        begun: how many times a worker has begun it, counting the one that is under way.
    """

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        """Call the first of the arguments with the others."""
        super().__init__()
        self.arguments = arguments
        self.inner: Future[Any] = Future()
        self.begun = 1

    def cancel(self) -> bool:
        """Only what no worker has begun."""
        return self.inner.cancel() and super().cancel()


class RestartingPool:
    """Makes calls to an executor of loky, and to the next one where that broke."""

    def __init__(
        self, begin: Callable[[], Any], workers: int, note: Callable[[Call], None]
    ) -> None:
        """Begin the first executor.

        Args:
            begin: gives an executor.
            workers: so many calls of it run at the same time.
            note: is told of each call that is begun again.
        """
        self.executor = begin()
        self._begin = begin
        self._workers = workers
        self._note = note
        self._lock = threading.RLock()  # calls land in a thread of loky's
        self._open: dict[Call, None] = {}  # in the order in which workers begin them
        self._mender = ThreadPoolExecutor(1, thread_name_prefix="pool-mender")
        self._closed = False

    def submit(self, *arguments: Any) -> Call:
        """Queue a call of the first argument with the others."""
        call = Call(arguments)
        with self._lock:
            self._open[call] = None
            self._send(call)
        return call

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            self._closed = True
        self._mender.shutdown(wait=True)
        self.executor.shutdown(wait=True, kill_workers=True)

    def _send(self, call: Call) -> None:
        executor = self.executor
        try:
            call.inner = executor.submit(*call.arguments)
        except BrokenProcessPool:  # a worker was lost before; this call was not with it
            self._mender.submit(self._mend, executor)
            return
        call.inner.add_done_callback(lambda inner: self._landed(call, executor, inner))

    def _landed(self, call: Call, executor: Any, inner: Future[Any]) -> None:
        error = None if inner.cancelled() else inner.exception()
        with self._lock:
            if isinstance(error, BrokenProcessPool) and not self._closed:
                self._mender.submit(self._mend, executor)
                return
            self._open.pop(call, None)
        if inner.cancelled() or call.cancelled():
            return
        if error is not None:
            call.set_exception(error)
        else:
            call.set_result(inner.result())

    def _mend(self, broken: Any) -> None:
        """In a thread of its own, once for each executor that broke."""
        if broken is not self.executor:
            return
        broken.shutdown(wait=True, kill_workers=True)  # afterwards all calls have landed
        with self._lock:
            if self._closed:
                return
            try:
                self.executor = self._begin()
                self._send_again()
            except Exception as error:
                msg = "The workers of the sklearn backend could not be started again: "
                self._give_up(list(self._open), f"{msg}{error}", error)

    def _send_again(self) -> None:
        """All that is open. loky hands calls out in their order: the first ones had been begun."""
        self._open = {call: None for call in self._open if not call.cancelled()}
        for place, call in enumerate(list(self._open)):
            lost = place < self._workers
            if lost and call.begun == TRIES:
                msg = (
                    f"A worker process of the sklearn backend died {TRIES} times over the same "
                    "trials (killed, or out of memory? Then lower backend.workers); its last "
                    "words are in the run's artifact logs/."
                )
                self._give_up([call], msg, call.inner.exception())
                continue
            if lost:
                call.begun += 1
                self._note(call)
            self._send(call)

    def _give_up(self, calls: list[Call], msg: str, cause: BaseException | None) -> None:
        for call in calls:
            self._open.pop(call, None)
            error = EngineError(msg)
            error.__cause__ = cause
            call.set_exception(error)
