"""What a worker that somebody else has started is asked for its watch: to begin it, to end it.

A series is a file in the temporary folder of the worker's machine, named by the run's token and
the process that is watched.
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
from optibench.measure.processes.tree import ProcessKey
from optibench.measure.remote.monitor import (
    INTERVAL_SECONDS,
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
FIRST_LINES = 2  # the facts, and the first look
PREFIX = "optibench-watch"


_ENSURED: dict[str, str] = {}  # by the token of a run, why there is no watch


@dataclass(frozen=True)
class MonitoredWorker:
    """A worker and the watch beside it.

    Attributes:
        machine: as `watch.machine_identity` names it.
        root: the process that is watched; its pid is 0 where it was not found.
        reason: why there is no watch; empty where there is one.
    """

    host: str
    machine: str
    root: ProcessKey
    reason: str = ""


@dataclass(frozen=True)
class Collected:
    """What a worker says of itself, and the files that it has taken."""

    worker: MonitoredWorker
    texts: tuple[str, ...]


def begin(token: str, find_root: Callable[[], int]) -> MonitoredWorker:
    """In a worker: begin the watch, unless another worker of the same root has.

    Args:
        token: of the run.
        find_root: pid of the process that holds all that this worker uses.
    """
    told = _told(find_root)
    if told.reason:
        return told
    root = told.root
    try:
        path = _folder() / f"{PREFIX}-{token}-{root.pid}-{root.start!r}.csv"
        if _is_first(path):
            _clear_old(path, root)
            _start(path, root)
        _wait_for_first(path)
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return replace(told, reason=f"its program failed: {' '.join(last)}")
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        return replace(told, reason=str(error) or type(error).__name__)
    return told


def ensure(token: str, find_root: Callable[[], int]) -> None:
    """In a worker: the same, before each piece of work; it may have come for a lost one."""
    if token not in _ENSURED:
        _ENSURED[token] = ""  # not again, whatever comes of it
        _ENSURED[token] = begin(token, find_root).reason


def collect(token: str, find_root: Callable[[], int]) -> Collected:
    """In a worker: end the watches of a run on this machine, and take what they have written.

    Of several workers on one machine each takes what no other has taken. Series of workers that
    are gone are among them.
    """
    paths = list(_series(token))
    for path in paths:
        stop_path(path).write_text(STOPPED, encoding="utf-8")
    patience = time.monotonic() + END_SECONDS
    while any(not _has_ended(path) for path in paths) and time.monotonic() < patience:
        time.sleep(INTERVAL_SECONDS / 10)
    texts = tuple(text for path in paths if (text := _taken(path)))
    told = _told(find_root)
    return Collected(replace(told, reason=told.reason or _ENSURED.get(token, "")), texts)


def remove(token: str) -> None:
    """In a worker: end the watches of a run on this machine; nobody wants their files."""
    for path in _series(token):
        path.unlink(missing_ok=True)
        stop_path(path).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(tempfile.gettempdir())


def _series(token: str) -> Iterator[Path]:
    yield from sorted(_folder().glob(f"{PREFIX}-{token}-*.csv"))


def _told(find_root: Callable[[], int]) -> MonitoredWorker:
    """Who is to be watched, or why that is not known."""
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
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _clear_old(path: Path, root: ProcessKey) -> None:
    """End other runs' watches of this root; remove what was never collected."""
    for other in _folder().glob(f"{PREFIX}-*.csv"):
        with suppress(OSError):  # another user's
            if time.time() - other.stat().st_mtime > LONGEST_SECONDS:
                other.unlink()
                stop_path(other).unlink(missing_ok=True)
            elif other != path and other.stem.endswith(f"-{root.pid}-{root.start!r}"):
                stop_path(other).write_text(REPLACED, encoding="utf-8")


def _start(path: Path, root: ProcessKey) -> None:
    """Start the process, which detaches itself.

    It looks for modules where this process does: our code may have travelled.
    """
    found = [str(Path(entry).absolute()) for entry in sys.path]
    words = [
        "-P",
        "-m",
        "optibench.measure.remote.monitor",
        str(path),
        str(root.pid),
        repr(root.start),
    ]
    try:
        subprocess.run(  # noqa: S603 - no word of it comes from outside
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(found)},
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
    patience = time.monotonic() + BEGIN_SECONDS
    while _beginning(path).count(b"\n") < FIRST_LINES:
        if time.monotonic() > patience:
            path.unlink(missing_ok=True)
            msg = f"it has written nothing within {BEGIN_SECONDS:.0f} s"
            raise LookupError(msg)
        time.sleep(INTERVAL_SECONDS / 20)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(FIRST_BYTES)


def _has_ended(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_BYTES))
        return b'{"end"' in file.read()
    return True  # taken by another worker


def _taken(path: Path) -> str:
    """The file's text; empty where another worker was first."""
    mine = path.with_suffix(f".{os.getpid()}")
    text = ""
    with suppress(OSError):
        path.rename(mine)
        text = mine.read_text(encoding="utf-8")
        mine.unlink()
    stop_path(path).unlink(missing_ok=True)
    return text
