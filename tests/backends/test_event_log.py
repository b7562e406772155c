"""Spark's event log: whose tasks they are, and where it cannot be read."""

import json
from types import SimpleNamespace

import pyarrow as pa
import pytest

from optibench.backends.common.task_metrics import TaskMetricsSums
from optibench.backends.spark import event_log
from optibench.backends.spark.task_metrics import amounts_of

SQL = "org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"


def job(number, stages, query=None):
    properties = {} if query is None else {"spark.sql.execution.id": str(query)}
    infos = [{"Stage ID": stage, "Stage Name": name} for stage, name in stages.items()]
    event = {"Event": "SparkListenerJobStart", "Job ID": number}
    return {**event, "Stage Infos": infos, "Properties": properties}


def task(stage, metrics=None, **info):
    times = {"Launch Time": 1000, "Finish Time": 3000, "Getting Result Time": 0}
    event = {"Event": "SparkListenerTaskEnd", "Stage ID": stage}
    recorded = {**times, "Failed": metrics is None, "Killed": False, **info}
    return {**event, "Task Info": recorded, "Task Metrics": metrics}


def lines(*events):
    return [json.dumps(event, separators=(",", ":")) for event in events]


def test_tasks_belong_to_the_latest_job_that_names_their_stage():
    log = event_log.EventLog(first_job=1)
    events = lines(
        job(0, {0: "count at a.py:1"}),
        task(0, {}),
        job(1, {1: "collect at /some/where/b.py:2"}),
        task(1, {}),
        {"Event": "SparkListenerJobEnd", "Job ID": 1},
        {"Event": SQL, "executionId": 7, "description": "toArrow at /some/where/c.py:3"},
        job(2, {1: "collect at /some/where/b.py:2", 2: "$anonfun$x at Y.java:4"}, query=7),
        task(2, {}),
        task(1, {}),
    )
    found = [(stage.job, stage.name) for stage, _ in log.tasks(events)]
    assert found == [(1, "collect at b.py:2"), (2, "toArrow at c.py:3"), (2, "collect at b.py:2")]


def test_what_is_left_of_a_task_is_the_schedulers_delay():
    metrics = {
        "Executor Run Time": 1200,
        "Executor CPU Time": 900_000_000,
        "Executor Deserialize Time": 100,
        "Result Serialization Time": 50,
        "Shuffle Write Metrics": {"Shuffle Write Time": 5_000_000, "Shuffle Bytes Written": 10},
    }
    recorded = amounts_of(task(0, metrics, **{"Getting Result Time": 2600}))
    assert recorded["get_result_seconds"] == pytest.approx(0.4)
    assert recorded["scheduler_delay_seconds"] == pytest.approx(2 - 1.2 - 0.1 - 0.05 - 0.4)
    assert (recorded["cpu_seconds"], recorded["shuffle_write_seconds"]) == (0.9, 0.005)
    assert (recorded["tasks"], recorded["failed_tasks"]) == (1, 0)


def test_a_task_that_was_lost_counts_without_seconds():
    recorded = amounts_of(task(0))
    assert (recorded["tasks"], recorded["failed_tasks"]) == (1, 1)
    assert sum(amount for name, amount in recorded.items() if name.endswith("_seconds")) == 0


def context(conf, folder="file:///nowhere"):
    java = SimpleNamespace(
        eventLogDir=lambda: SimpleNamespace(get=lambda: folder),
        listenerBus=lambda: SimpleNamespace(waitUntilEmpty=lambda _: None),
    )
    properties = {f"spark.eventLog.{key}": value for key, value in conf.items()}
    return SimpleNamespace(
        _jsc=SimpleNamespace(sc=lambda: java),
        getConf=lambda: SimpleNamespace(get=properties.get),
        applicationId="app-1",
    )


@pytest.mark.parametrize(
    ("conf", "folder", "message"),
    [
        ({"enabled": "false"}, "file:///x", "eventLog.enabled=false"),
        ({"enabled": "true"}, "hdfs://host/logs", "cannot be read at hdfs:"),
        ({"enabled": "true", "compression.codec": "lz4"}, "file:///x", "codec=lz4"),
        ({"enabled": "true"}, "file:///nowhere", "is not in /nowhere"),
    ],
)
def test_where_it_cannot_be_read_the_reason_is_reported(conf, folder, message):
    with pytest.raises(FileNotFoundError, match=message):
        event_log.files(context(conf, folder))


def test_a_log_of_the_users_own_may_be_rolled_and_compressed(tmp_path):
    folder = tmp_path / "a b" / "eventlog_v2_app-1"
    folder.mkdir(parents=True)
    for number in (2, 10, 1):
        with pa.output_stream(folder / f"events_{number}_app-1.zstd", compression="zstd") as file:
            file.write(f"first of {number}\nsecond\n".encode())
    with (folder / "events_10_app-1.zstd").open("ab") as file:  # a frame for each flush
        file.write(pa.compress(b"third\nnot yet wh", codec="zstd", asbytes=True))
    found = event_log.files(context({"enabled": "true"}, (tmp_path / "a b").as_uri()))
    assert list(event_log.lines_of(found)) == [
        *("first of 1", "second", "first of 2", "second", "first of 10", "second", "third")
    ]


def test_operations_are_added_up_by_phase_the_longest_first():
    work = TaskMetricsSums()
    work.add("search", "read", {"tasks": 1, "run_seconds": 1.0, "read_bytes": 5})
    work.add("search", "train", {"tasks": 2, "run_seconds": 3.0})
    work.add("fit", "read", {"tasks": 1, "run_seconds": 2.5})
    recorded = work.summary()
    assert [operation["name"] for operation in recorded["operations"]] == ["read", "train"]
    in_search = recorded["phases"]["search"]["operations"]
    assert [operation["name"] for operation in in_search] == ["train", "read"]
    assert recorded["total"] == {
        "tasks": 4,
        "run_seconds": 6.5,
        "cpu_seconds": 0.0,
        "read_bytes": 5,
    }
    assert list(recorded["operations"][0]) == [
        *("name", "tasks", "run_seconds", "cpu_seconds", "read_bytes")
    ]
