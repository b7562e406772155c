"""Engines that somebody else has started: a Dask scheduler, a Spark standalone master."""

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from optibench import benchmark
from optibench.backends.spark.java import find_java_home
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.errors import EngineError
from optibench.tracking.memory import MemoryTracker

SMALL = [
    "model=kmeans",
    "model.space.n_clusters=[2,3]",
    "model.space.n_init=[2]",
    "model.space.max_iter=[50]",
    "progress=false",
]


def run(*words):
    tracker = MemoryTracker()
    return benchmark.run(resolve(compose([*SMALL, *words])), tracker=tracker), tracker


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, seconds=60):
    deadline = time.monotonic() + seconds
    while not answers(port):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(*command, **environment):
    """A process, ended afterwards with all that it has started."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


@contextmanager
def dask_cluster(*worker_words):
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    quiet = ["--no-dashboard"]
    with ExitStack() as stack:
        scheduler = ["-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(started(sys.executable, *scheduler, *quiet))
        wait_for_port(port)
        worker = ["-m", "dask", "worker", address, "--host", "127.0.0.1", *worker_words]
        stack.enter_context(started(sys.executable, *worker, *quiet))
        wait_for_workers(address)
        yield address


def wait_for_workers(address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        time.sleep(1)  # the second one comes with the first


@pytest.mark.dask
def test_a_given_dask_cluster_gives_the_same_scores_and_says_what_it_cannot_measure():
    expected, _ = run("backend=sklearn")
    with dask_cluster("--nworkers", "2", "--nthreads", "1") as address:
        result, tracker = run("backend=dask", f"backend.address={address}")
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert len({trial.worker for trial in result.trials}) == 2
    assert "not in the resource metrics" in tracker.params["measurement_notes"]


@pytest.mark.dask
def test_a_dask_cluster_of_threads_is_refused():
    with (
        dask_cluster("--nworkers", "1", "--nthreads", "2") as address,
        pytest.raises(EngineError, match="--nthreads 1"),
    ):
        run("backend=dask", f"backend.address={address}")


@pytest.mark.spark
def test_a_given_spark_master_gives_the_same_scores():
    import pyspark

    port = free_port()
    master = f"spark://127.0.0.1:{port}"
    java = {"JAVA_HOME": str(find_java_home().path), "SPARK_LOCAL_IP": "127.0.0.1"}
    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    deploy = "org.apache.spark.deploy"
    host = ["--host", "127.0.0.1", "--webui-port", "0"]
    with ExitStack() as stack:
        command = [spark_class, f"{deploy}.master.Master", *host, "--port", str(port)]
        stack.enter_context(started(*command, **java))
        wait_for_port(port)
        worker = [spark_class, f"{deploy}.worker.Worker", *host, "--cores", "2", master]
        stack.enter_context(started(*worker, **java))
        result, tracker = run("backend=spark", f"backend.master={master}")
    expected, _ = run("backend=sklearn")
    assert [trial.scores for trial in result.trials] == [t.scores for t in expected.trials]
    assert "not in the resource metrics" in tracker.params["measurement_notes"]
