"""What OptiBench relies on in PySpark's gateway and in Spark's Scala classes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack

import psutil
import pytest

from optibench.backends.spark import event_log, jvm
from optibench.backends.spark.java import find_java_home
from optibench.backends.spark.session import spark_context
from optibench.backends.spark.settings import SessionSettings
from optibench.records import EngineRequest

pytestmark = pytest.mark.spark
SLOTS = 2
MARK = "written by a Python worker"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def session(folder):
    """One session for all tests; the last one ends it."""
    with ExitStack() as stack:
        request = EngineRequest(SLOTS, 1, (), folder, 2**33)
        events = folder / "events"
        events.mkdir()
        properties = {**event_log.settings(str(events)), "spark.eventLog.compress": "false"}
        settings = SessionSettings.make(None, properties, None, request, {})
        yield stack.enter_context(spark_context(settings, folder)), stack


@pytest.fixture(scope="module")
def context(session):
    return session[0]


def count(context, fail=lambda: False):
    """Run a job of one stage, and return its number."""

    def work(rows):
        from pyspark import TaskContext

        numbers = list(rows)
        if fail() and TaskContext.get().attemptNumber() == 0:
            raise RuntimeError
        return numbers

    number = jvm.next_job_id(context)
    assert context.parallelize(range(4), SLOTS).mapPartitions(work).count() == 4
    return number


@pytest.mark.usefixtures("context")
def test_the_gateway_has_the_process_of_the_jvm():
    process = jvm.process()
    assert process is jvm.current_gateway().proc
    assert psutil.Process(process.pid).name() == "java"
    assert psutil.Process(process.pid).ppid() == psutil.Process().pid
    assert jvm.has_active_context()


def test_spark_says_how_many_tasks_it_can_run(context):
    assert jvm.concurrent_tasks(context) == SLOTS
    assert jvm.executor_count(context) == 0  # the driver of a local session is none
    assert not jvm.is_stopped(context)


def test_jobs_are_numbered_one_after_the_other(context):
    assert count(context) + 1 == jvm.next_job_id(context)


def test_attempts_of_a_stage_have_failed_tasks_and_cpu_seconds(context, folder):
    job = count(context, fail=lambda: True)
    tracker = context.statusTracker()
    deadline = time.monotonic() + 20
    while tracker.getJobInfo(job).status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.05)
    (stage,) = tracker.getJobInfo(job).stageIds
    ((attempt,),) = jvm.stage_attempts(context, [stage])
    assert attempt.failed_tasks == tracker.getStageInfo(stage).numFailedTasks == SLOTS
    tasks = [event["Task Metrics"] for event in ended_tasks(context, folder, stage)]
    nanoseconds = sum(
        task["Executor CPU Time"] + task["Executor Deserialize CPU Time"]
        for task in tasks
        if task is not None
    )
    assert attempt.executor_cpu_seconds == pytest.approx(nanoseconds / 1e9)
    assert nanoseconds > 0


def ended_tasks(context, folder, stage):
    jvm.flush_events(context, 20_000)
    (path,) = (folder / "events").glob(f"{context.applicationId}*")
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        event
        for event in events
        if event["Event"] == "SparkListenerTaskEnd" and event["Stage ID"] == stage
    ]


def test_a_flushed_event_log_has_every_task_in_its_folder(context, folder):
    assert jvm.event_log_folder(context).rstrip("/") == (folder / "events").as_uri()
    job = count(context)
    (stage,) = context.statusTracker().getJobInfo(job).stageIds
    assert len(ended_tasks(context, folder, stage)) == SLOTS


@pytest.mark.parametrize(("size", "n_bytes"), [("1g", 2**30), ("600m", 600 * 2**20), ("7", 7)])
def test_a_size_is_converted_as_spark_does(context, size, n_bytes):
    assert jvm.bytes_of_size(context, size) == n_bytes


def test_the_version_of_java_is_that_of_its_program(context):
    program = [str(find_java_home().path / "bin" / "java"), "-version"]
    recorded = subprocess.run(program, capture_output=True, text=True, check=True).stderr
    assert f'"{jvm.java_version(context)}"' in recorded


def test_an_error_in_the_jvm_is_one_of_spark_and_not_of_the_connection(context):
    with pytest.raises(jvm.spark_errors()) as caught:
        jvm.bytes_of_size(context, "much")
    assert not jvm.is_connection_error(caught.value)
    assert isinstance(caught.value, jvm.connection_errors())  # py4j has one class for both


def test_an_error_of_the_connection_is_known_by_its_class():
    from py4j.protocol import Py4JError, Py4JNetworkError

    for error in (Py4JError("no answer"), Py4JNetworkError("closed"), ConnectionRefusedError()):
        assert jvm.is_connection_error(error)
        assert isinstance(error, jvm.connection_errors())
        assert isinstance(error, jvm.spark_errors())


def test_what_python_workers_write_goes_to_the_log(context, folder):
    context.parallelize([0], 1).foreach(lambda _: print(MARK, file=sys.stderr, flush=True))
    deadline = time.monotonic() + 20
    while MARK not in (folder / "spark.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert MARK in (folder / "spark.log").read_text()


def test_a_session_that_has_ended_leaves_nothing_in_pyspark(session):
    context, stack = session
    process = jvm.process()
    jvm._scala_context(context).stop()  # as Spark itself does where it loses its master
    assert jvm.is_stopped(context)
    stack.close()
    assert process.returncode is not None
    assert jvm.current_gateway() is None
    assert jvm.process() is None
    assert not jvm.has_active_context()
