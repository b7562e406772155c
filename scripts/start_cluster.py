"""Start a Dask scheduler with workers, or a Spark standalone master with one, on this machine.

    python scripts/start_cluster.py dask --workers 2
    python scripts/start_cluster.py spark --workers 2 --memory 2g

Prints what to give to optibench (backend.address=... or backend.master=...) once the workers have
joined, and runs until Ctrl-C, or until its standard input ends where that is a pipe. Everything
listens on 127.0.0.1 only; everybody with an account here can use it.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.backends.spark.java import find_java_home

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PATIENCE_SECONDS = 90.0
DEPLOY = "org.apache.spark.deploy"


def main() -> None:
    """Start the cluster that is asked for, and hold it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["dask", "spark"])
    parser.add_argument("--workers", type=int, default=2, help="processes (Dask), slots (Spark)")
    parser.add_argument("--memory", help="of each Dask worker, of Spark's executor: e.g. 1GB, 2g")
    parser.add_argument("--port", type=int, help="default: a free one")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    start = start_dask if options.engine == "dask" else start_spark
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        port = options.port or free_port()
        print(start(stack, port, options.workers, options.memory), flush=True)
        hold()


def start_dask(stack: ExitStack, port: int, workers: int, memory: str | None) -> str:
    """A scheduler, and single-threaded workers."""
    dask, address = [sys.executable, "-m", "dask"], f"tcp://{HOST}:{port}"
    quiet = ["--host", HOST, "--no-dashboard"]
    stack.enter_context(started([*dask, "scheduler", "--port", str(port), *quiet]))
    wait_for_port(port)
    size = ["--memory-limit", memory] if memory else []
    shape = ["--nworkers", str(workers), "--nthreads", "1", *size]
    stack.enter_context(started([*dask, "worker", address, *shape, *quiet]))
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=PATIENCE_SECONDS)
    return f"backend.address={address}"


def start_spark(stack: ExitStack, port: int, workers: int, memory: str | None) -> str:
    """A standalone master, and one worker with as many cores as slots are wanted."""
    import pyspark

    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    here = ["--host", HOST, "--webui-port", "0"]
    address = f"spark://{HOST}:{port}"
    stack.enter_context(
        started([spark_class, f"{DEPLOY}.master.Master", *here, "--port", str(port)], java=True)
    )
    wait_for_port(port)
    size = ["--memory", memory] if memory else []
    worker_port = free_port()
    shape = ["--cores", str(workers), *size, "--port", str(worker_port)]
    stack.enter_context(
        started([spark_class, f"{DEPLOY}.worker.Worker", *here, *shape, address], java=True)
    )
    wait_for_port(worker_port)
    return f"backend.master={address}"


@contextmanager
def started(command: list[str], *, java: bool = False) -> Iterator[None]:
    """A process in a session of its own, ended afterwards with all that it has started."""
    environment = dict(os.environ)
    if java:
        environment |= {"JAVA_HOME": str(find_java_home().path), "SPARK_LOCAL_IP": HOST}
    process = subprocess.Popen(  # noqa: S603 - no word of it comes from outside
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        stdout=sys.stderr,
        stderr=sys.stderr,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Until somebody listens there.

    Raises:
        SystemExit: nobody did in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.2)
    sys.exit(f"Nothing came up at {HOST}:{port} in {PATIENCE_SECONDS:.0f} s; its words are above.")


def hold() -> None:
    """Until Ctrl-C, or until a pipe at the standard input is closed by who has started this."""
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        sys.stdin.read()
    else:
        signal.pause()


if __name__ == "__main__":
    main()
