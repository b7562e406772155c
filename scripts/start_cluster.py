"""Start a Dask scheduler with workers, or a Spark standalone master with one, on this machine.

    python scripts/start_cluster.py dask --workers 2
    python scripts/start_cluster.py dask --tls
    python scripts/start_cluster.py spark --workers 2 --memory 2g
    python scripts/start_cluster.py spark --secret-file my.secret

Prints what to give to optibench (backend.address=... or backend.master=...) once the workers have
joined, and runs until Ctrl-C, or until its standard input ends where that is a pipe. Everything
listens on 127.0.0.1 only; everybody with an account here can use it, unless it has certificates
(Dask) or a secret (Spark).
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from optibench.backends.spark.java import find_java_home
from optibench.termination import end_group

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
PATIENCE_SECONDS = 90.0
STOP_SECONDS = 15.0
DEPLOY = "org.apache.spark.deploy"
SECRET = "OPTIBENCH_SPARK_SECRET"  # noqa: S105 - a variable's name, not a secret


def main() -> None:
    """Start the cluster that is asked for, and hold it."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    start = start_dask if options.engine == "dask" else start_spark
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        options.port = options.port or free_port()
        print(start(stack, options), flush=True)
        hold()


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engine", choices=["dask", "spark"])
    parser.add_argument("--workers", type=int, default=2, help="processes (Dask), cores (Spark)")
    parser.add_argument("--memory", help="of each Dask worker, of Spark's executor: e.g. 1GB, 2g")
    parser.add_argument("--port", type=int, help="default: a free one")
    parser.add_argument(
        "--tls", action="store_true", help="Dask: with the given files, else with new ones"
    )
    for name in ("ca-file", "cert", "key"):
        parser.add_argument(f"--tls-{name}", metavar="FILE", help="Dask, in PEM format")
    parser.add_argument(
        "--secret-file", metavar="FILE", help=f"Spark; default: the environment's {SECRET}"
    )
    options = parser.parse_args()
    given = [options.tls_ca_file, options.tls_cert, options.tls_key]
    if any(given) and not all(given):
        parser.error("--tls-ca-file, --tls-cert and --tls-key go together")
    options.tls = options.tls or any(given)
    return options


def start_dask(stack: ExitStack, options: argparse.Namespace) -> str:
    """Start a scheduler and single-threaded workers; return the scheduler's address."""
    from distributed import Client
    from distributed.security import Security

    dask, port = [sys.executable, "-m", "dask"], options.port
    address = f"{'tls' if options.tls else 'tcp'}://{HOST}:{port}"
    files = certificates(stack, options) if options.tls else {}
    quiet = ["--host", HOST, "--no-dashboard"]
    for name, path in files.items():
        quiet += [f"--tls-{name.replace('_', '-')}", path]
    protocol = ["--protocol", "tls"] if options.tls else []
    stack.enter_context(started([*dask, "scheduler", "--port", str(port), *protocol, *quiet]))
    wait_for_port(port)
    size = ["--memory-limit", options.memory] if options.memory else []
    shape = ["--nworkers", str(options.workers), "--nthreads", "1", *size]
    stack.enter_context(started([*dask, "worker", address, *shape, *quiet]))
    security = Security(
        require_encryption=True,
        tls_ca_file=files["ca_file"],
        tls_client_cert=files["cert"],
        tls_client_key=files["key"],
    ) if files else None  # fmt: skip
    with Client(address, set_as_default=False, security=security) as client:
        client.wait_for_workers(options.workers, timeout=PATIENCE_SECONDS)
    return " ".join(
        [f"backend.address={address}", *(f"backend.tls.{k}={v}" for k, v in files.items())]
    )


def certificates(stack: ExitStack, options: argparse.Namespace) -> dict[str, str]:
    """Return the given files, or new ones for this cluster that only this account can read."""
    if options.tls_cert:
        given = (options.tls_ca_file, options.tls_cert, options.tls_key)
        paths = [str(Path(path).resolve()) for path in given]
        return dict(zip(("ca_file", "cert", "key"), paths, strict=True))
    from distributed.security import Security

    made = Security.temporary()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="optibench-tls-")))
    texts = {
        "ca_file": made.tls_ca_file,
        "cert": made.tls_client_cert,
        "key": made.tls_client_key,
    }
    for name, text in texts.items():
        write_secret(folder / f"{name}.pem", text)
    return {name: str(folder / f"{name}.pem") for name in texts}


def start_spark(stack: ExitStack, options: argparse.Namespace) -> str:
    """Start a standalone master, and one worker with the requested number of cores."""
    import pyspark

    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    properties = spark_secret(stack, options)
    here = ["--host", HOST, "--webui-port", "0", *properties]
    address = f"spark://{HOST}:{options.port}"
    master = [spark_class, f"{DEPLOY}.master.Master", *here, "--port", str(options.port)]
    stack.enter_context(started(master, java=True))
    wait_for_port(options.port)
    size = ["--memory", options.memory] if options.memory else []
    worker_port = free_port()
    shape = ["--cores", str(options.workers), *size, "--port", str(worker_port)]
    worker = [spark_class, f"{DEPLOY}.worker.Worker", *here, *shape, address]
    stack.enter_context(started(worker, java=True))
    wait_for_port(worker_port)
    return f"backend.master={address}"


def spark_secret(stack: ExitStack, options: argparse.Namespace) -> list[str]:
    """How master and worker are told a secret: by a file, since everybody sees command lines."""
    if options.secret_file:
        secret = Path(options.secret_file).read_text(encoding="utf-8").strip()
    else:
        secret = os.environ.get(SECRET, "").strip()
    if not secret:
        if options.secret_file:
            sys.exit(f"{options.secret_file} is empty.")
        return []
    if not secret.isprintable():
        sys.exit("The secret must be one line of printable characters.")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="optibench-spark-")))
    escaped = secret.replace("\\", "\\\\")
    text = f"spark.authenticate true\nspark.authenticate.secret {escaped}\n"
    write_secret(folder / "spark.conf", text)
    return ["--properties-file", str(folder / "spark.conf")]


def write_secret(path: Path, text: str) -> None:
    """Write a file that only this account can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@contextmanager
def started(command: list[str], *, java: bool = False) -> Iterator[None]:
    """Start a process in a new session; end it and its descendants on exit."""
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
        process.terminate()  # alone: a Dask worker's nanny closes its processes itself
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_group(process)


def free_port() -> int:
    """Return a free port."""
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
