"""What a user finds in MLflow after a run."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import mlflow
import pytest

from optibench.errors import TrackingError
from optibench.records import RunHeader, Sample, Status
from optibench.tracking import MlflowTracker, Store, mark_dead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlflow.entities import Run

    from optibench.records import CandidateResult

    MakeCandidate = Callable[..., CandidateResult]


def children(store: Store, run: Run) -> list[Run]:
    found = store.client().search_runs(
        [run.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{run.info.run_id}'",
        max_results=1000,
    )
    return sorted(found, key=lambda child: child.info.start_time)


def test_a_run_starts_with_name_time_params_tags_and_redacted_values(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    run = store.client().get_run(tracker.start(header))
    assert run.info.run_name == header.name
    assert run.info.status == "RUNNING"
    assert run.info.start_time == round(header.start * 1000)
    assert run.data.params == {
        "model": "kmeans",
        "tracking.uri": "http://***@h",
        "none": "null",
        "flag": "true",
    }
    assert run.data.tags["optibench.kind"] == "benchmark"
    assert {"mlflow.user", "mlflow.source.name", "mlflow.source.type"} <= set(run.data.tags)


def test_the_dataset_is_an_input_with_our_digest(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    run = store.client().get_run(tracker.start(header))
    (logged,) = run.inputs.dataset_inputs
    assert logged.dataset.name == "toy"
    assert header.dataset.digest.startswith(logged.dataset.digest)
    assert json.loads(logged.dataset.profile) == {"num_rows": 6, "num_elements": 12}
    columns = json.loads(logged.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("a", "double"), ("b", "double"), ("label", "string"),
    ]  # fmt: skip


def test_a_dataset_file_is_named_without_its_credentials(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    dataset = replace(header.dataset, source="https://u:pw@host/data.csv?sig=abc")
    run = store.client().get_run(tracker.start(replace(header, dataset=dataset)))
    (logged,) = run.inputs.dataset_inputs
    assert json.loads(logged.dataset.source) == {"uri": "https://***@host/data.csv?sig=***"}


def test_more_than_a_hundred_params_long_values_and_odd_keys_are_kept(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    params = {f"p{number}": number for number in range(250)} | {
        "long": "x" * 9000,
        "model.space[0]@x": [1, None],
        "model.space(0)@x": 2,
    }
    logged = store.client().get_run(tracker.start(replace(header, params=params))).data.params
    assert len(logged) == 253
    assert logged["p249"] == "249"
    assert len(logged["long"]) == 6000
    assert logged["long"].endswith("[cut; in full in config.yaml]")
    assert logged["model.space_0__x"] == "[1, null]"
    assert logged["model.space_0__x_2"] == "2"


@pytest.fixture(params=["as rows", "through the client"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested runs are written as rows here; a server gets them through the client."""
    if request.param == "through the client":  # SQLite stands in for the server
        monkeypatch.setattr("optibench.tracking.candidates.run_tables", lambda _: None)


@pytest.mark.usefixtures("_both_ways")
def test_candidates_become_nested_runs_with_true_times(
    store: Store, tracker: MlflowTracker, header: RunHeader, candidate: MakeCandidate
) -> None:
    parent = store.client().get_run(tracker.start(header))
    good, bad = (
        candidate(0),
        candidate(1, Status.FAILED, "fold 2 has one cluster at http://u:pw@h"),
    )
    tracker.log_candidates("silhouette", [good, bad])
    first, second = children(store, parent)
    assert first.info.run_name == "candidate-0"
    assert (first.info.start_time, first.info.end_time) == (1_700_000_000_500, 1_700_000_003_250)
    assert first.info.artifact_uri.startswith(store.artifact_location or "-")
    assert first.info.artifact_uri.endswith(f"{first.info.run_id}/artifacts")
    assert first.info.user_id
    assert first.info.lifecycle_stage == "active"
    assert first.data.params == {"n_clusters": "2", "init": "k-means++", "random": "null"}
    assert first.data.metrics == {
        "mean_test_silhouette": 0.5, "std_test_silhouette": 0.0, "mean_test_inertia": 3.5,
        "std_test_inertia": 0.25, "rank_test_score": 1, "mean_fit_seconds": 0.25,
        "mean_score_seconds": 0.125, "cpu_seconds": 1.5,
        "standalone_cpu_seconds": 4.5, "reused_fits": 2,
    }  # fmt: skip
    assert first.info.status == "FINISHED"
    assert first.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert first.data.tags["optibench.kind"] == "candidate"
    assert first.data.tags["mlflow.runName"] == "candidate-0"
    assert second.info.status == "FAILED"
    assert second.data.tags["optibench.reason"] == "fold 2 has one cluster at http://***@h"
    assert second.data.tags["optibench.undefined.mean_test_silhouette"] == "nan"
    assert "mean_test_silhouette" not in second.data.metrics
    history = store.client().get_metric_history(first.info.run_id, "cpu_seconds")
    assert [(point.value, point.timestamp, point.step) for point in history] == [
        (1.5, 1_700_000_003_250, 0)
    ]


def test_fifty_four_candidates_cost_well_under_a_second_and_a_half(
    store: Store, tracker: MlflowTracker, header: RunHeader, candidate: MakeCandidate
) -> None:
    parent = store.client().get_run(tracker.start(header))
    begun = time.perf_counter()
    tracker.log_candidates("silhouette", [candidate(number) for number in range(54)])
    assert time.perf_counter() - begun < 1.5
    assert len(children(store, parent)) == 54


def test_nested_runs_are_left_out_where_not_wanted(
    store: Store, header: RunHeader, candidate: MakeCandidate
) -> None:
    tracker = MlflowTracker(store, "without children", children=False)
    parent = store.client().get_run(tracker.start(header))
    tracker.log_candidates("silhouette", [candidate(0)])
    assert children(store, parent) == []


def test_metrics_that_are_not_finite_are_recorded_as_tags(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    run_id = tracker.start(header)
    tracker.log_metrics({"a": 1.5, "b": math.nan, "c": math.inf, "d": -math.inf})
    data = store.client().get_run(run_id).data
    assert data.metrics == {"a": 1.5}
    undefined = {key: value for key, value in data.tags.items() if "undefined" in key}
    assert undefined == {
        "optibench.undefined.b": "nan", "optibench.undefined.c": "inf",
        "optibench.undefined.d": "-inf",
    }  # fmt: skip


def test_a_long_series_keeps_its_peak(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    run_id = tracker.start(header)
    samples = [
        Sample(
            1e9 + n / 5,
            "search",
            99.0 if n == 1234 else 10.0,
            5.0,
            100,
            50 if n % 10 == 0 else None,
            3,
        )
        for n in range(3000)
    ]
    tracker.log_series(samples)
    history = store.client().get_metric_history(run_id, "system/cpu_utilization_percentage")
    assert len(history) == 1000
    peak = max(history, key=lambda point: point.value)
    assert (peak.value, peak.timestamp) == (99.0, round((1e9 + 1234 / 5) * 1000))
    assert len(store.client().get_metric_history(run_id, "system/pss_bytes")) == 300


def test_artifacts_lie_under_their_own_paths(
    store: Store, tracker: MlflowTracker, header: RunHeader, tmp_path: Path
) -> None:
    run_id = tracker.start(header)
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "functions.txt").write_text("x")
    (tmp_path / "config.yaml").write_text("a: 1")
    tracker.log_artifacts(tmp_path)
    names = {item.path for item in store.client().list_artifacts(run_id)}
    assert {"config.yaml", "profile"} <= names
    assert store.client().list_artifacts(run_id, "profile")[0].path == "profile/functions.txt"


@pytest.mark.parametrize("status", list(Status))
def test_the_end_records_status_and_redacted_reason(
    store: Store, tracker: MlflowTracker, header: RunHeader, status: Status
) -> None:
    run_id = tracker.start(header)
    tracker.log_params({"best_k": 2})
    tracker.end(status, None if status is Status.FINISHED else "lost password=abc")
    run = store.client().get_run(run_id)
    assert run.info.status == str(status)
    assert run.info.end_time >= run.info.start_time
    assert run.data.params["best_k"] == "2"
    if status is Status.FINISHED:
        assert "optibench.reason" not in run.data.tags
    else:
        assert run.data.tags["optibench.reason"] == "lost password=***"
        assert run.data.tags["mlflow.note.content"] == f"{status}: lost password=***"


def test_a_param_that_would_change_is_an_error_without_credentials(
    tracker: MlflowTracker, header: RunHeader
) -> None:
    tracker.start(header)
    with pytest.raises(TrackingError, match="refused to log parameters") as caught:
        tracker.log_params({"model": "http://u:pw@h"})
    assert "pw" not in str(caught.value)
    assert "pw" not in str(caught.value.__cause__)


def test_nothing_is_logged_before_the_start(tracker: MlflowTracker) -> None:
    with pytest.raises(TrackingError, match="start"):
        tracker.log_metrics({"a": 1})


def test_a_run_that_could_not_be_described_is_failed_not_running(
    store: Store, tracker: MlflowTracker, header: RunHeader, request: pytest.FixtureRequest
) -> None:
    broken = replace(header, dataset=replace(header.dataset, source="x" * 70_000))
    with pytest.raises(TrackingError):
        tracker.start(broken)
    experiment = store.client().get_experiment_by_name(request.node.name)
    (run,) = store.client().search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"


def test_a_deleted_experiment_is_refused_with_what_to_do(store: Store, header: RunHeader) -> None:
    client = store.client()
    experiment_id = client.create_experiment("gone")
    client.delete_experiment(experiment_id)
    with pytest.raises(
        TrackingError, match=rf"'gone' was deleted.*--experiment-id {experiment_id}"
    ):
        MlflowTracker(store, "gone").start(header)


def test_a_dead_run_is_failed_and_an_ended_one_left_alone(
    store: Store, tracker: MlflowTracker, header: RunHeader
) -> None:
    run_id = tracker.start(header)
    assert mark_dead(store.uri, run_id, "exit code -9, token=abc")
    run = store.client().get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["optibench.reason"] == "exit code -9, token=***"
    assert not mark_dead(store.uri, run_id, "again")
    with pytest.raises(TrackingError):
        mark_dead(store.uri, "0" * 32, "unknown")


def test_the_users_own_mlflow_state_is_untouched(
    tracker: MlflowTracker,
    header: RunHeader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    candidate: MakeCandidate,
) -> None:
    monkeypatch.chdir(tmp_path)
    address = mlflow.get_tracking_uri()
    tracker.start(header)
    tracker.log_candidates("silhouette", [candidate(0)])
    tracker.end(Status.FINISHED)
    assert mlflow.get_tracking_uri() == address
    assert mlflow.active_run() is None
    assert mlflow.last_active_run() is None
    assert list(tmp_path.iterdir()) == []
