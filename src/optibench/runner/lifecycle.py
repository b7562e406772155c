"""What is kept of a run while it goes on, and written when it ends, however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from optibench.contracts import Journal
from optibench.errors import BenchmarkError, InputError
from optibench.evaluation.ranking import REUSED_FITS, summarise
from optibench.measure.profiles.engine_metrics import EngineMetricsFile
from optibench.records import (
    Candidate,
    CandidateResult,
    FittedModel,
    Result,
    Reused,
    Status,
    Trial,
)
from optibench.runner.artifacts import RunArtifacts
from optibench.runner.header import make_header, platform_digest, run_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from optibench.backends.common.reuse import Running
    from optibench.config.schema import Config
    from optibench.contracts import Engine, EngineTaskMetrics, Tracker
    from optibench.measure.clock.phases import Recorder
    from optibench.runner.settings import PreparedRun, RunSettings
    from optibench.runner.worker_monitors import WorkerMonitors
    from optibench.runner.workspace import Workspace
    from optibench.trials.loop import SearchLoop
    from optibench.trials.scheduler import Scheduler


def open_tracker(config: Config) -> Tracker:
    """The MLflow store that `config.tracking` names."""
    from optibench.tracking.mlflow_tracker import MlflowTracker
    from optibench.tracking.store import prepare_store

    store = prepare_store(config.tracking.uri, Path.cwd())
    return MlflowTracker(store, config.tracking.experiment, children=config.tracking.children)


class RunLifecycle:
    """One MLflow run, created by `begin`; FINISHED, FAILED or KILLED when left.

    Wrong data and Ctrl-C leave none before that; for any other error it is created, and says why.
    """

    def __init__(
        self,
        settled: RunSettings,
        clock: Recorder,
        workspace: Workspace,
        tracker: Tracker | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Write to `tracker`, by default that of the configuration; nothing is created yet."""
        self._settled = settled
        self._prepared: PreparedRun
        self._clock = clock
        self._tracker_given = tracker
        self._tracker: Tracker
        self._announce = announce
        self._files = RunArtifacts(settled, clock, workspace)
        self._is_begun = False
        self._metrics: dict[str, float] = {}
        self._result: dict[str, Any] = {}
        self._notes: tuple[str, ...] = ()
        self.run_id = ""
        self.trials: list[Trial] = []
        self._scheduler: Scheduler | None = None
        self._engine: Engine
        self._workers: WorkerMonitors | None = None
        self._run_again_before = 0  # an engine may have served other runs
        self._loop: SearchLoop | None = None
        self._facts: dict[str, Any] = {}
        self._engine_record = EngineMetricsFile(None, self._files.folder / "profile")

    def __enter__(self) -> Self:
        """Create nothing yet."""
        return self

    def begin(self, prepared: PreparedRun) -> None:
        """Create the run of a benchmark whose data can be used."""
        self._prepared = prepared
        self._create(prepared)

    def _create(self, known: RunSettings) -> None:
        self._is_begun = True
        self._tracker = self._tracker_given or open_tracker(known.config)
        with self._clock.phase("tracking"):
            self.run_id = self._tracker.start(make_header(known, self._clock.start_time))
            if self._announce is not None:
                self._announce(self.run_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        """Close a run that did not finish, with its reason and the artifacts it has so far."""
        self._settled.search.close(finished=False)  # nothing, after `finish`
        try:
            if isinstance(error, Exception) and not isinstance(error, InputError):
                self._create_failed(error)
        finally:
            if error is not None and self.run_id:
                self._end(error)

    def _end(self, error: BaseException) -> None:
        interrupted = not isinstance(error, Exception)
        status = Status.KILLED if interrupted else Status.FAILED
        reason = "interrupted" if interrupted else str(error) or type(error).__name__
        told = "".join(f" ({note})" for note in self._workers_notes())
        self._tracker.end(status, f"{reason}{self._save_what_there_is()}{told}")

    def _create_failed(self, error: Exception) -> None:
        """Where something failed before the data were known: a run that can say so."""
        if self._is_begun:
            return
        try:
            self._create(self._settled)
        except Exception as problem:
            if self.run_id:
                raise
            msg = f"{str(error) or type(error).__name__} (No run says so: {problem})"
            raise BenchmarkError(msg) from error

    def _save_what_there_is(self) -> str:
        """Log the artifacts of a run that did not finish; return what to add to its reason."""
        try:
            self._save_files()
        except Exception as problem:
            return f" (its artifacts are incomplete: {type(problem).__name__}: {problem})"
        return "".join(f" ({note})" for note in self._engine_record.notes)

    def note_workers(self, workers: WorkerMonitors) -> None:
        """Keep what is going to be told of the workers that are elsewhere."""
        self._workers = workers

    def note_engine(self, running: Running) -> None:
        """Keep the versions of the started engine, and whether an earlier run has started it."""
        engine, warm, self._files.copy_logs = running
        self._engine, self._run_again_before = engine, engine.units_run_again
        facts: dict[str, Any] = {"engine_warm": warm}
        facts |= {f"version.{name}": version for name, version in engine.versions().items()}
        self._notes += engine.notes
        with self._clock.phase("tracking"):
            self._tracker.log_params(facts)

    def engine_metrics(self, own: EngineTaskMetrics | None) -> AbstractContextManager[None]:
        """Keep what the engine itself will say; after an error it is asked before it ends."""
        self._engine_record = EngineMetricsFile(own, self._files.folder / "profile")
        return self._engine_record.written_on_error()

    def note_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep parameters that were found on the way."""
        self._facts |= facts

    def note_profiles(self, parts: Sequence[bytes]) -> None:
        """Keep what workers have profiled of fits on all of them."""
        self._files.calls = parts

    def note_search(self, loop: SearchLoop, scheduler: Scheduler) -> None:
        """Keep the search that begins, to tell what became of it."""
        self._loop, self._scheduler = loop, scheduler

    def open_journal(self) -> None:
        """Tell the search where it may write down what it learns, and its question's name."""
        folder, tags = self._tracker.journal_folder, run_tags(self._prepared)
        parts = ["optibench.config_digest", "optibench.dataset_digest", "optibench.repeat"]
        digests = [*(tags[part] for part in parts if part in tags), platform_digest()]
        name = "-".join([self._prepared.config.run_name, *digests])
        if folder is not None and self._prepared.search.uses_folds:
            self._prepared.search.open(Journal(folder, name))

    def summarise(self) -> list[CandidateResult]:
        """The candidates of the search, ranked."""
        self.trials.sort(key=lambda trial: (trial.candidate, trial.fold))
        loop = self._loop
        if loop is None:
            return []
        recalled = sum(trial.reused is Reused.RUN for trial in self.trials)
        if recalled:
            self._notes += (f"{recalled} trials were evaluated by an interrupted run",)
        never = len(loop.candidates) - len({trial.candidate for trial in self.trials})
        if never:
            self._notes += (f"{never} candidates were stopped before their first trial",)
        return summarise(
            self.trials,
            self._prepared.metric,
            self._prepared.config.evaluation.folds,
            candidates=loop.candidates,
            stopped=loop.stopped,
        )

    def driver_profile(self) -> AbstractContextManager[None]:
        """Run cProfile in the driver, where it is on."""
        return self._files.driver_profile()

    def write(
        self,
        results: Sequence[CandidateResult],
        winner: Candidate | CandidateResult,
        model: FittedModel,
        quality: Mapping[str, float],
    ) -> None:
        """Log all but the final batch of metrics."""
        tracker, prepared = self._tracker, self._prepared
        if self._workers is not None:
            self._workers.collect()
        self._metrics = {
            **quality,
            **_cross_validation(winner, prepared.metric),
            **self._efficiency(),
            "units_run_again": self._engine.units_run_again - self._run_again_before,
        }
        self._result = {"best_params": winner.params, "candidates": tuple(results), "model": model}
        best = {f"best_{name}": value for name, value in winner.params.items()}
        tracker.log_params({**best, **self._facts})
        self._engine_record.write()
        own = [*self._workers_notes(), *self._clock.notes, *self._engine_record.notes]
        notes = [*self._notes, *own]
        if self._metrics["units_run_again"]:
            notes.append(
                f"{self._metrics['units_run_again']:.0f} units were run again because a worker "
                "was lost: what it had used is in the resources of the run, not in its trials"
            )
        if isinstance(winner, CandidateResult) and winner.budget < 1.0:
            notes.append(
                f"no candidate with all of the resource has a score: the winner, and with it "
                f"best_cv_score, had {winner.budget:.1%} of it"
            )
        if notes:
            tracker.log_params({"measurement_notes": "; ".join(notes)})
        tracker.log_candidates(prepared.metric, results)
        tracker.log_series(self._clock.samples)
        self._save_files()
        tracker.log_model(model)

    def write_metrics(self) -> None:
        """Stop the wall clock and log the final batch of metrics."""
        self._clock.stop()
        self._metrics |= self._clock.metrics()
        self._tracker.log_metrics(self._metrics)

    def finish(self) -> Result:
        """Close the run as FINISHED."""
        shutdown = {"shutdown_seconds": self._clock.metrics()["shutdown_seconds"]}
        self._tracker.log_metrics(shutdown)
        self._tracker.end(Status.FINISHED)
        self._prepared.search.close(
            finished=True
        )  # not before: what it learned is needed till now
        return Result(
            run_id=self.run_id,
            name=self._prepared.config.run_name,
            status=Status.FINISHED,
            metric=self._prepared.metric,
            metrics={**self._metrics, **shutdown},
            trials=tuple(self.trials),
            **self._result,
        )

    def _save_files(self) -> None:
        self._files.write(self.trials, self._scheduler.profiles if self._scheduler else [])
        self._tracker.log_artifacts(self._files.folder)

    def _workers_notes(self) -> list[str]:
        return self._workers.notes if self._workers else []

    def _efficiency(self) -> dict[str, float]:
        seconds = self._clock.metrics()["search_seconds"]
        if not self.trials:
            return {}
        paid = sum(trial.cpu_seconds for trial in self.trials)
        return {
            "search_efficiency": paid / (self._prepared.budget.cores * seconds),
            "standalone_cpu_seconds": sum(t.standalone_cpu_seconds for t in self.trials),
            "reused_fits": sum(trial.reused in REUSED_FITS for trial in self.trials),
        }


def _cross_validation(winner: Candidate | CandidateResult, metric: str) -> dict[str, float]:
    if not isinstance(winner, CandidateResult):
        return {}
    return {
        "best_cv_score": winner.mean_scores[metric],
        "best_cv_std": winner.std_scores[metric],
    }
