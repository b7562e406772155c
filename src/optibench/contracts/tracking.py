"""Where a run is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from optibench.records import CandidateResult, FittedModel, RunHeader, Sample, Status


class Tracker(Protocol):
    """Records a run. Every call is made outside the timed regions."""

    @property
    def journal_folder(self) -> Path | None:
        """The folder for the journal of a search; None: no journal is kept."""

    def start(self, header: RunHeader) -> str:
        """Create the run and return its id."""

    def log_candidates(self, metric: str, candidates: Sequence[CandidateResult]) -> None:
        """Log one nested run per candidate."""

    def log_series(self, samples: Sequence[Sample]) -> None:
        """Log the resource samples as metric series under `system/`."""

    def log_artifacts(self, directory: Path) -> None:
        """Copy every file below `directory` to the run's artifacts."""

    def log_model(self, model: FittedModel) -> None:
        """Log the fitted winner so that it can be loaded without OptiBench."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters that are known only at the end (`best_*`)."""

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log the final batch of metrics."""

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the run; `reason` says why it did not finish."""
