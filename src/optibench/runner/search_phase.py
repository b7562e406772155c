"""The search of a run: its trials so far, and its candidates ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optibench.evaluation.ranking import REUSED_FITS, summarise
from optibench.evaluation.scoring import greater_is_better
from optibench.records import CandidateResult, Reused, Trial
from optibench.report.progress import Progress
from optibench.trials.loop import SearchLoop, SearchProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.runner.settings import RunSettings
    from optibench.strategies import Strategy


class SearchPhase:
    """Runs the search of a benchmark and keeps each trial at once, so that none is lost.

    Attributes:
        trials: finished trials, also of an interrupted search.
        profiles: profiles of the batches that came back, as `BatchOutcome.profile`.
        notes: what a reader of the results must know, in sentences.
    """

    def __init__(self, settings: RunSettings) -> None:
        """Run nothing yet."""
        self._settings = settings
        self.trials: list[Trial] = []
        self.profiles: Sequence[bytes] = []
        self.notes: list[str] = []

    @property
    def is_needed(self) -> bool:
        """False for search=none, whose only candidate is fitted without folds."""
        return self._settings.search.uses_folds

    def run(self, strategy: Strategy) -> list[CandidateResult]:
        """Evaluate what the search proposes until it proposes nothing more, and rank it.

        Returns:
            Every candidate with its rank; empty for search=none.
        """
        settings, config = self._settings, self._settings.config
        if not self.is_needed:
            return []
        folds, metric, total = config.evaluation.folds, settings.metric, settings.n_search_fits
        better, enabled = greater_is_better(metric), config.top.progress
        scheduler = strategy.scheduler()
        self.profiles = scheduler.profiles
        with Progress(total, metric, greater_is_better=better, enabled=enabled) as progress:

            def on_trials(trials: Sequence[Trial]) -> None:
                self.trials += trials
                progress.advance(trials, loop.budget_of)

            problem = SearchProblem(config.model, config.search, metric, folds)
            loop = SearchLoop(problem, settings.search, scheduler, on_trials)
            loop.run()
        return self._rank(loop)

    def _rank(self, loop: SearchLoop) -> list[CandidateResult]:
        self.trials.sort(key=lambda trial: (trial.candidate, trial.fold))
        recalled = sum(trial.reused is Reused.RUN for trial in self.trials)
        if recalled:
            self.notes.append(f"{recalled} trials were evaluated by an interrupted run")
        not_begun = len(loop.candidates) - len({trial.candidate for trial in self.trials})
        if not_begun:
            self.notes.append(f"{not_begun} candidates were stopped before their first trial")
        return summarise(
            self.trials,
            self._settings.metric,
            self._settings.config.evaluation.folds,
            candidates=loop.candidates,
            stopped=loop.stopped,
        )

    def efficiency(self, search_seconds: float) -> dict[str, float]:
        """Return the metrics of the work that the trials did and saved; empty without trials."""
        if not self.trials:
            return {}
        charged = sum(trial.cpu_seconds for trial in self.trials)
        return {
            "search_efficiency": charged / (self._settings.budget.cores * search_seconds),
            "standalone_cpu_seconds": sum(t.standalone_cpu_seconds for t in self.trials),
            "reused_fits": sum(trial.reused in REUSED_FITS for trial in self.trials),
        }
