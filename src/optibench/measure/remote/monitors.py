"""Start and stop monitors on the machines of workers that another program has started.

The functions `begin`, `ensure`, `collect` and `remove` run in a worker. A monitor writes its
series to a file in the temporary folder of that machine; the token of the run and the monitored
process are parts of the file's name.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.measure.processes.counters import system_counters
from optibench.measure.processes.intervals import INTERVAL_SECONDS
from optibench.measure.processes.tree import ProcessKey
from optibench.measure.remote.monitor import (
    LONGEST_SECONDS,
    REPLACED,
    STOPPED,
    machine_identity,
    stop_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEGIN_SECONDS = 20.0
END_SECONDS = 3.0
FIRST_BYTES = 4096
LAST_BYTES = 200
FIRST_LINES = 2  # the facts and the first sample
PREFIX = "optibench-monitor"

_ENSURED: dict[str, str] = {}  # token of a run -> why there is no monitor; empty if there is one


@dataclass(frozen=True)
class MonitoredWorker:
    """A worker and the state of its monitor.

    Attributes:
        host: name of the worker's machine.
        machine: identity of the machine, from `monitor.machine_identity`.
        root: the process that is monitored; its pid is 0 if it was not found.
        reason: why there is no monitor; empty if there is one.
    """

    host: str
    machine: str
    root: ProcessKey
    reason: str = ""


@dataclass(frozen=True)
class Collected:
    """What one worker returns at the end of a run.

    Attributes:
        worker: the worker itself.
        texts: contents of the series that it has collected.
    """

    worker: MonitoredWorker
    texts: tuple[str, ...]


def begin(token: str, find_root: Callable[[], int]) -> MonitoredWorker:
    """Start the monitor of this worker, unless another worker of the same root has done so.

    Args:
        token: identifies the run.
        find_root: returns the pid of the process whose tree contains everything that this worker
            uses.
    """
    worker = _describe(find_root)
    if worker.reason:
        return worker
    root = worker.root
    try:
        path = _folder() / f"{PREFIX}-{token}-{root.pid}-{root.start!r}.csv"
        if _is_first(path):
            _clear_old(path, root)
            _start(path, root)
        _wait_for_first(path)
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return replace(worker, reason=f"its program failed: {' '.join(last)}")
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        return replace(worker, reason=str(error) or type(error).__name__)
    return worker


def ensure(token: str, find_root: Callable[[], int]) -> None:
    """Start the monitor before a batch: this worker may have replaced a lost one."""
    if token not in _ENSURED:
        _ENSURED[token] = ""  # only one attempt, even if it fails
        _ENSURED[token] = begin(token, find_root).reason


def collect(token: str, find_root: Callable[[], int]) -> Collected:
    """End the monitors of a run on this machine and return their series.

    If several workers run on one machine, each series is returned by one of them. Series of
    workers that have ended are included.
    """
    paths = list(_series(token))
    for path in paths:
        stop_path(path).write_text(STOPPED, encoding="utf-8")
    deadline = time.monotonic() + END_SECONDS
    while any(not _has_ended(path) for path in paths) and time.monotonic() < deadline:
        time.sleep(INTERVAL_SECONDS / 10)
    texts = tuple(text for path in paths if (text := _take(path)))
    worker = _describe(find_root)
    return Collected(replace(worker, reason=worker.reason or _ENSURED.get(token, "")), texts)


def remove(token: str) -> None:
    """End the monitors of a run on this machine and delete their series."""
    for path in _series(token):
        path.unlink(missing_ok=True)
        stop_path(path).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(tempfile.gettempdir())


def _series(token: str) -> Iterator[Path]:
    yield from sorted(_folder().glob(f"{PREFIX}-{token}-*.csv"))


def _describe(find_root: Callable[[], int]) -> MonitoredWorker:
    """Return this worker with the process to monitor, or with why it cannot be found."""
    root, reason = ProcessKey(0, 0.0), ""
    try:
        pid = find_root()
        reading = system_counters().read(pid)
        if reading is None:
            reason = f"process {pid} cannot be read"
        else:
            root = ProcessKey(pid, reading.start)
    except (OSError, LookupError) as error:
        reason = str(error) or type(error).__name__
    return MonitoredWorker(socket.gethostname(), machine_identity(), root, reason)


def _is_first(path: Path) -> bool:
    """Create the file of a series; False if another worker has created it."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _clear_old(path: Path, root: ProcessKey) -> None:
    """End the monitors of other runs for this root; delete series that nobody collected."""
    for other in _folder().glob(f"{PREFIX}-*.csv"):
        with suppress(OSError):  # it belongs to another user
            if time.time() - other.stat().st_mtime > LONGEST_SECONDS:
                other.unlink()
                stop_path(other).unlink(missing_ok=True)
            elif other != path and other.stem.endswith(f"-{root.pid}-{root.start!r}"):
                stop_path(other).write_text(REPLACED, encoding="utf-8")


def _start(path: Path, root: ProcessKey) -> None:
    """Start the process of the monitor, which then detaches itself.

    It gets the module search path of this process, because OptiBench may be shipped code here.
    """
    search_path = [str(Path(entry).absolute()) for entry in sys.path]
    arguments = [
        "-P",
        "-m",
        "optibench.measure.remote.monitor",
        str(path),
        str(root.pid),
        repr(root.start),
    ]
    try:
        subprocess.run(  # noqa: S603 - no argument comes from outside
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=BEGIN_SECONDS,
            check=True,
        )
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _wait_for_first(path: Path) -> None:
    deadline = time.monotonic() + BEGIN_SECONDS
    while _beginning(path).count(b"\n") < FIRST_LINES:
        if time.monotonic() > deadline:
            path.unlink(missing_ok=True)
            msg = f"it wrote nothing within {BEGIN_SECONDS:.0f} s"
            raise LookupError(msg)
        time.sleep(INTERVAL_SECONDS / 20)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FIRST_BYTES)


def _has_ended(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        return b'{"end"' in file.read()
    return True  # another worker has taken the file


def _take(path: Path) -> str:
    """Return the text of a series and delete its file; empty if another worker has taken it."""
    mine = path.with_suffix(f".{os.getpid()}")
    text = ""
    with suppress(OSError):
        path.rename(mine)
        text = mine.read_text(encoding="utf-8")
        mine.unlink()
    stop_path(path).unlink(missing_ok=True)
    return text
