"""Sum up a run that has succeeded: its metrics, its notes, its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.records import Candidate, CandidateResult, Result, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optibench.contracts import Tracker
    from optibench.measure.clock.phases import Recorder
    from optibench.records import FittedModel
    from optibench.runner.artifacts import RunArtifacts
    from optibench.runner.engine_session import EngineSession
    from optibench.runner.search_phase import SearchPhase
    from optibench.runner.settings import PreparedRun


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a benchmark has found.

    Attributes:
        candidates: every candidate of the search with its rank.
        winner: the best candidate, or the only one for search=none.
        model: the refitted winner.
        quality: metrics of the winner and its baselines, as `Strategy.evaluate` returns them.
        facts: parameters that became known during the run.
    """

    candidates: Sequence[CandidateResult]
    winner: Candidate | CandidateResult
    model: FittedModel
    quality: Mapping[str, float]
    facts: Mapping[str, Any]


class RunSummary:
    """Writes the outcome of a run and everything that was measured.

    Attributes:
        metrics: what was logged so far.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        clock: Recorder,
        session: EngineSession,
        search: SearchPhase,
        outcome: Outcome,
    ) -> None:
        """Write nothing yet."""
        self._prepared, self._clock = prepared, clock
        self._session, self._search, self._outcome = session, search, outcome
        self.metrics: dict[str, float] = {}

    def write(self, tracker: Tracker, artifacts: RunArtifacts) -> None:
        """Log everything but the metrics."""
        outcome = self._outcome
        self._session.collect_samples()
        best = {f"best_{name}": value for name, value in outcome.winner.params.items()}
        tracker.log_params({**best, **outcome.facts})
        artifacts.write_engine_metrics()
        notes = self._notes(artifacts)
        if notes:
            tracker.log_params({"measurement_notes": "; ".join(notes)})
        tracker.log_candidates(self._prepared.metric, outcome.candidates)
        tracker.log_series(self._clock.samples)
        artifacts.write()
        tracker.log_artifacts(artifacts.folder)
        tracker.log_model(outcome.model)

    def write_metrics(self, tracker: Tracker) -> None:
        """Stop the wall clock and log the final batch of metrics."""
        self._clock.stop()
        measured = self._clock.metrics()
        self.metrics = {
            **self._outcome.quality,
            **_cross_validation(self._outcome.winner, self._prepared.metric),
            **self._search.efficiency(measured["search_seconds"]),
            "units_run_again": self._session.units_run_again,
            **measured,
        }
        tracker.log_metrics(self.metrics)

    def result(self, run_id: str, shutdown_seconds: float) -> Result:
        """Return what the caller of the benchmark gets."""
        outcome = self._outcome
        return Result(
            run_id=run_id,
            name=self._prepared.config.run_name,
            status=Status.FINISHED,
            metric=self._prepared.metric,
            best_params=outcome.winner.params,
            metrics={**self.metrics, "shutdown_seconds": shutdown_seconds},
            trials=tuple(self._search.trials),
            candidates=tuple(outcome.candidates),
            model=outcome.model,
        )

    def _notes(self, artifacts: RunArtifacts) -> list[str]:
        """Return what a reader of the numbers must know, in sentences."""
        session, winner = self._session, self._outcome.winner
        notes = [*session.engine_notes, *self._search.notes, *session.monitor_notes]
        notes += [*self._clock.notes, *artifacts.engine_notes]
        if session.units_run_again:
            notes.append(
                f"{session.units_run_again} units were run again because a worker was lost: the "
                "resources of the run include the lost work, its trials do not"
            )
        if isinstance(winner, CandidateResult) and winner.budget < 1.0:
            notes.append(
                "no candidate with the full resource has a score: the winner and best_cv_score "
                f"come from {winner.budget:.1%} of it"
            )
        return notes


def _cross_validation(winner: Candidate | CandidateResult, metric: str) -> dict[str, float]:
    """Return mean and standard deviation (ddof 0) over the winner's folds; empty without folds."""
    if not isinstance(winner, CandidateResult):
        return {}
    return {
        "best_cv_score": winner.mean_scores[metric],
        "best_cv_std": winner.std_scores[metric],
    }
