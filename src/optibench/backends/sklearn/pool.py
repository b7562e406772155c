"""loky's workers, restarted after worker loss.

When a worker is killed, loky closes the pool: it kills the other workers, and fails all calls that
were queued or running. This module then starts a new pool and repeats these calls.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from optibench.backends.sklearn.loky import BrokenProcessPool
from optibench.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.backends.sklearn.loky import Executor

TRIES = 4  # as in Dask and Spark


class Call(Future[Any]):
    """A call in a worker that outlives the pool to which it was submitted.

    Attributes:
        inner: loky's future of the call.
        attempts: number of times that a worker has started it, the current attempt included.
    """

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        """Describe a call of the first argument with the others."""
        super().__init__()
        self.arguments = arguments
        self.inner: Future[Any] = Future()
        self.attempts = 1

    def cancel(self) -> bool:
        """Cancel the call if no worker has started it."""
        return self.inner.cancel() and super().cancel()


class RestartingPool:
    """Submits calls to an executor of loky, and to a new executor when that one breaks."""

    def __init__(
        self, start: Callable[[], Executor], workers: int, on_retry: Callable[[Call], None]
    ) -> None:
        """Start the first executor.

        Args:
            start: starts an executor.
            workers: number of calls that it runs at the same time.
            on_retry: called with each call that is retried.
        """
        self.executor = start()
        self._start = start
        self._workers = workers
        self._on_retry = on_retry
        self._lock = threading.RLock()  # calls end in a thread of loky
        self._open: dict[Call, None] = {}  # in the order in which workers start them
        self._restarter = ThreadPoolExecutor(1, thread_name_prefix="pool-restarter")
        self._closed = False

    def submit(self, *arguments: Any) -> Call:
        """Queue a call of the first argument with the others."""
        call = Call(arguments)
        with self._lock:
            self._open[call] = None
            self._submit(call)
        return call

    def close(self) -> None:
        """End the workers."""
        with self._lock:
            self._closed = True
        self._restarter.shutdown(wait=True)
        self.executor.shutdown(wait=True, kill_workers=True)

    def _submit(self, call: Call) -> None:
        executor = self.executor
        try:
            call.inner = executor.submit(*call.arguments)
        except BrokenProcessPool:  # a worker was lost earlier, not by this call
            self._restarter.submit(self._restart, executor)
            return
        call.inner.add_done_callback(lambda inner: self._call_ended(call, executor, inner))

    def _call_ended(self, call: Call, executor: Executor, inner: Future[Any]) -> None:
        error = None if inner.cancelled() else inner.exception()
        with self._lock:
            if isinstance(error, BrokenProcessPool) and not self._closed:
                self._restarter.submit(self._restart, executor)
                return
            self._open.pop(call, None)
        if inner.cancelled() or call.cancelled():
            return
        if error is not None:
            call.set_exception(error)
        else:
            call.set_result(inner.result())

    def _restart(self, broken: Executor) -> None:
        """Replace an executor that broke, once, in a thread of its own."""
        if broken is not self.executor:
            return
        broken.shutdown(wait=True, kill_workers=True)  # afterwards all calls have ended
        with self._lock:
            if self._closed:
                return
            try:
                self.executor = self._start()
                self._submit_again()
            except Exception as error:
                msg = "The workers of the sklearn backend could not be restarted: "
                self._fail(list(self._open), f"{msg}{error}", error)

    def _submit_again(self) -> None:
        """Submit all open calls again.

        loky hands out calls in order, so that the first ones had started.
        """
        self._open = {call: None for call in self._open if not call.cancelled()}
        for position, call in enumerate(list(self._open)):
            lost = position < self._workers
            if lost and call.attempts == TRIES:
                msg = (
                    f"A worker process of the sklearn backend died {TRIES} times over the same "
                    "trials (killed, or out of memory? Then lower backend.workers); its last "
                    "output is in the run's artifact logs/."
                )
                self._fail([call], msg, call.inner.exception())
                continue
            if lost:
                call.attempts += 1
                self._on_retry(call)
            self._submit(call)

    def _fail(self, calls: list[Call], msg: str, cause: BaseException | None) -> None:
        for call in calls:
            self._open.pop(call, None)
            error = EngineError(msg)
            error.__cause__ = cause
            call.set_exception(error)
