"""The in-memory tracker keeps what is logged and refuses what MLflow would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from optibench.errors import TrackingError
from optibench.records import RunHeader, Status
from optibench.tracking import MemoryTracker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optibench.contracts import Tracker
    from optibench.records import CandidateResult

    MakeCandidate = Callable[..., CandidateResult]


def test_everything_logged_is_kept(
    header: RunHeader, tmp_path: Path, candidate: MakeCandidate
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "x.log").write_bytes(b"x")
    tracker = MemoryTracker()
    as_protocol: Tracker = tracker
    as_protocol.start(header)
    tracker.log_candidates("accuracy", [candidate(0)])
    tracker.log_artifacts(tmp_path)
    tracker.log_params({"best_k": 2})
    tracker.log_metrics({"accuracy": 0.5})
    tracker.end(Status.FAILED, "why")
    assert tracker.params == {**header.params, "best_k": 2}
    assert tracker.metrics == {"accuracy": 0.5}
    assert tracker.candidates == [candidate(0)]
    assert tracker.artifacts == {"logs/x.log": b"x"}
    assert (tracker.status, tracker.reason) == (Status.FAILED, "why")
    assert tracker.calls == [
        "start",
        "log_candidates",
        "log_artifacts",
        "log_params",
        "log_metrics",
        "end",
    ]


def test_what_mlflow_would_refuse_is_refused(header: RunHeader) -> None:
    tracker = MemoryTracker()
    with pytest.raises(TrackingError, match="before start"):
        tracker.log_metrics({})
    tracker.start(header)
    with pytest.raises(TrackingError, match="model"):
        tracker.log_params({"model": "other"})
    tracker.end(Status.FINISHED)
    with pytest.raises(TrackingError, match="after end"):
        tracker.log_metrics({})
