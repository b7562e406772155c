"""`optibench ui`: serve the MLflow UI of a tracking store on this machine only."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.errors import BenchmarkError, ConfigError, OptiBenchError
from optibench.locations import SERVER_SCHEMES, scheme
from optibench.redaction import redact
from optibench.termination import end_group
from optibench.tracking.stored_runs import existing_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOST = "127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `optibench ui`."""
    parser.add_argument("--port", type=int, default=5000, help="default: 5000")
    parser.add_argument(
        "--uri",
        metavar="URI",
        help="tracking store (default: MLFLOW_TRACKING_URI, then ./mlruns/mlflow.db)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the UI until Ctrl-C, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="optibench ui",
        description=f"Serve the MLflow UI for the runs of this directory, on {HOST}.",
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    try:
        serve(existing_store(options.uri, Path.cwd()), options.port)
    except KeyboardInterrupt:
        return 0
    except OptiBenchError as error:
        print(f"optibench ui: {redact(str(error))}", file=sys.stderr)
        return error.exit_code
    return 0


def serve(uri: str, port: int) -> None:
    """Run MLflow's server on the store until it ends.

    Args:
        uri: the address of an existing store.
        port: the port to listen on.

    Raises:
        ConfigError: the store is a server with its own UI, or the port cannot be used.
        BenchmarkError: MLflow's server did not start, or it ended.
    """
    if scheme(uri) in SERVER_SCHEMES:
        message = f"The store {redact(uri)} is a server: open its UI at that address."
        raise ConfigError(message)
    _check_port(port)
    with _stopped_by_signals(), _server(uri, port) as server:
        _wait_until_ready(server, port)
        print(f"MLflow UI: http://{HOST}:{port}  (Ctrl-C stops it)", file=sys.stderr, flush=True)
        code = server.wait()
    message = f"MLflow's server ended unexpectedly (exit code {code})."
    raise BenchmarkError(message)


@contextmanager
def _server(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server in its own process group; on exit, end the whole group."""
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        HOST,
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    environment = {
        **os.environ,
        # Not on the command line, where every user of the machine could read a password in it.
        "MLFLOW_BACKEND_STORE_URI": uri,
        # It would start seven more processes, for features that deal with language models.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    server = subprocess.Popen(  # noqa: S603  (this interpreter, and a port that is a number)
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        end_group(server, STOP_SECONDS)


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that the server is ended too."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_port(port: int) -> None:
    try:
        with socket.socket() as probe:
            # Without this, a port that was released a moment ago counts as taken for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        message = f"--port {port} cannot be used ({error}). Choose one from 1024 to 65535."
        raise ConfigError(message) from error


def _wait_until_ready(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            message = f"MLflow's server did not start (exit code {server.returncode})."
            raise BenchmarkError(message)
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)  # not listening yet
    message = f"MLflow's server did not answer within {START_SECONDS} s."
    raise BenchmarkError(message)
