"""A tracker that keeps everything in memory, for tests of what a benchmark writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from optibench.errors import TrackingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optibench.records import CandidateResult, FittedModel, RunHeader, Sample, Status


@dataclass
class MemoryTracker:
    """Implements `contracts.Tracker`; `artifacts` maps the path of each file to its content."""

    run_id: str = "memory"
    header: RunHeader | None = None
    params: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    metric: str | None = None
    candidates: list[CandidateResult] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    model: FittedModel | None = None
    status: Status | None = None
    reason: str | None = None
    calls: list[str] = field(default_factory=list)
    journal_folder: Path | None = None

    def start(self, header: RunHeader) -> str:
        """Keep the header and return the run id."""
        self.calls.append("start")
        self.header = header
        self.params.update(header.params)
        return self.run_id

    def log_candidates(self, metric: str, candidates: Sequence[CandidateResult]) -> None:
        """Keep the candidates."""
        self._open("log_candidates")
        self.metric = metric
        self.candidates.extend(candidates)

    def log_series(self, samples: Sequence[Sample]) -> None:
        """Keep the samples."""
        self._open("log_series")
        self.samples.extend(samples)

    def log_artifacts(self, directory: Path) -> None:
        """Read every file below `directory`; the caller may delete it afterwards."""
        self._open("log_artifacts")
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.artifacts[path.relative_to(directory).as_posix()] = path.read_bytes()

    def log_model(self, model: FittedModel) -> None:
        """Keep the model."""
        self._open("log_model")
        self.model = model

    def log_params(self, params: Mapping[str, object]) -> None:
        """Keep the parameters; as in MLflow, a value that is set cannot change.

        Raises:
            TrackingError: a parameter already has another value.
        """
        self._open("log_params")
        changed = [key for key, value in params.items() if self.params.get(key, value) != value]
        if changed:
            message = (
                f"These parameters are already written with another value: {', '.join(changed)}"
            )
            raise TrackingError(message)
        self.params.update(params)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Keep the metrics."""
        self._open("log_metrics")
        self.metrics.update(metrics)

    def end(self, status: Status, reason: str | None = None) -> None:
        """Keep the status and the reason."""
        self._open("end")
        self.status, self.reason = status, reason

    def _open(self, call: str) -> None:
        """Note the call; refuse it before `start` and after `end`, as MLflow does."""
        if self.header is None or self.status is not None:
            message = f"{call} was called {'before start' if self.header is None else 'after end'}"
            raise TrackingError(message)
        self.calls.append(call)
