"""One benchmark, step by step, in the order in which it runs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from optibench.backends.common.background_start import starting
from optibench.backends.common.reuse import open_engine
from optibench.evaluation.ranking import best
from optibench.measure.clock.phases import Recorder
from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import EngineRequest, Entry, Plan, Result
from optibench.runner.artifacts import RunArtifacts
from optibench.runner.engine_session import EngineSession
from optibench.runner.fitted_model import make_fitted_model
from optibench.runner.lifecycle import RunLifecycle
from optibench.runner.loading import load
from optibench.runner.plan import make_plan
from optibench.runner.search_phase import SearchPhase
from optibench.runner.settings import import_libraries, make_settings
from optibench.runner.summary import Outcome, RunSummary
from optibench.runner.workspace import Workspace
from optibench.strategies import strategy_modules
from optibench.trials.scheduler import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optibench.config.schema import Config
    from optibench.contracts import Tracker
    from optibench.runner.settings import RunSettings


def run(
    config: Config,
    *,
    entry: Entry | None = None,
    tracker: Tracker | None = None,
    announce: Callable[[str], None] | None = None,
) -> Result:
    """Run one benchmark: search, refit the winner, score it, and write the run.

    Args:
        config: the resolved configuration.
        entry: `time.perf_counter()` at the program's entry, where its wall clock starts; default
            now.
        tracker: where the run is written; default the MLflow store of `config.tracking`.
        announce: called with the run's id as soon as the run is created.

    Raises:
        InputError: wrong configuration or data; no run was created, and the engine that was
            starting in the background is gone.
        BenchmarkError: the run is FAILED and says why. Any other error ends the run likewise.
    """
    with Recorder(*(entry or Entry.now())) as clock, ExitStack() as stack:
        with clock.phase("startup"):
            settings = make_settings(config)
            workspace = stack.enter_context(Workspace(clock))
            opening = open_engine(config.backend, _request(settings, workspace.logs), rehearse)
            start = stack.enter_context(starting(opening, workspace.stop_processes))
            import_libraries(strategy_modules(config))
        session, search = EngineSession(start, clock), SearchPhase(settings)
        artifacts = RunArtifacts(settings, clock, workspace, session, search)
        lifecycle = RunLifecycle(settings, clock, artifacts, tracker=tracker, announce=announce)
        with lifecycle, session:
            with clock.phase("load"):
                prepared = load(settings, session.engine)
            with clock.phase("split"):
                strategy = prepared.strategy()
                strategy.split()
                prepared = prepared.without_rows()
            with clock.phase("startup"):
                lifecycle.begin(prepared)
                engine = session.take()
                lifecycle.log_params(session.params)
                session.register_cleanup(artifacts.engine_metrics(strategy.task_metrics(engine)))
                lifecycle.open_journal(prepared)
            with clock.phase("search"), artifacts.driver_profile():
                strategy.connect(engine)
                candidates = search.run(strategy)
                winner = best(candidates) if search.is_needed else prepared.search.examples[0]
            with clock.phase("fit"), artifacts.driver_profile():
                estimator = strategy.refit(winner.params)
            with clock.phase("score"), artifacts.driver_profile():
                quality = strategy.evaluate(estimator)
            with clock.phase("tracking"):
                model = make_fitted_model(prepared, strategy.scaler, estimator)
                outcome = Outcome(candidates, winner, model, quality, strategy.facts())
                summary = RunSummary(prepared, clock, session, search, outcome)
                artifacts.worker_calls = strategy.profiles()
                summary.write(lifecycle.tracker, artifacts)
            summary.write_metrics(lifecycle.tracker)
            with clock.phase("shutdown"):
                strategy.close()
                session.close()
            shutdown_seconds = clock.metrics()["shutdown_seconds"]
            lifecycle.finish(shutdown_seconds)
            return summary.result(lifecycle.run_id, shutdown_seconds)


def plan(config: Config) -> Plan:
    """Describe what `run` would do, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    return make_plan(load(make_settings(config)))


def _request(settings: RunSettings, logs: Path) -> EngineRequest:
    """Return what the engine is started with."""
    modules = (
        *settings.config.plugin_modules,
        *settings.config.model.modules,
        *strategy_modules(settings.config),
        "optibench.trials.context",
        "optibench.trials.worker",
        "optibench.measure.profiles.trial_profiles",
    )
    budget, memory_bytes = settings.budget, available_memory_bytes()
    return EngineRequest(budget.workers, budget.threads, modules, logs, memory_bytes)
