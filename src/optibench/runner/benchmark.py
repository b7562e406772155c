"""One benchmark, in the order in which it runs: the story is here, the work is in the rooms."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from optibench.backends.common.background_start import starting
from optibench.backends.common.reuse import open_engine
from optibench.evaluation.ranking import best
from optibench.evaluation.scoring import greater_is_better
from optibench.measure.clock.phases import Recorder
from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import EngineRequest, Entry, Plan, Result, Trial
from optibench.report.progress import Progress
from optibench.runner.engine_session import EngineSession
from optibench.runner.lifecycle import RunLifecycle
from optibench.runner.loading import load
from optibench.runner.settings import import_libraries, make_plan, make_settings
from optibench.runner.workspace import Workspace
from optibench.strategies import strategy_for, strategy_modules
from optibench.trials.loop import SearchLoop, SearchProblem
from optibench.trials.refit import fitted_model
from optibench.trials.scheduler import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Tracker
    from optibench.runner.settings import PreparedRun, RunSettings
    from optibench.strategies import Strategy


def run(
    config: Config,
    *,
    entry: Entry | None = None,
    tracker: Tracker | None = None,
    announce: Callable[[str], None] | None = None,
) -> Result:
    """Run one benchmark: tune, refit, score, and write it down.

    Args:
        config: the resolved configuration.
        entry: `time.perf_counter()` at the program's entry, where its wall clock starts; default
            now.
        tracker: where the run is written; default the MLflow store of `config.tracking`.
        announce: called with the run's id as soon as it is created.

    Raises:
        InputError: wrong configuration or data; no run was created, and the engine that was being
            started meanwhile is gone.
        BenchmarkError: the run says FAILED and why; it is created for that where it was not yet.
            Any other error ends it likewise.
    """
    with Recorder(*(entry or Entry.now())) as clock, ExitStack() as stack:
        with clock.phase("startup"):
            settled = make_settings(config)
            workspace = stack.enter_context(Workspace(clock))
            engine_start = stack.enter_context(
                starting(
                    open_engine(config.backend, _request(settled, workspace), rehearse),
                    workspace.stop_processes,
                )
            )
            import_libraries(strategy_modules(config))
        with (
            RunLifecycle(settled, clock, workspace, tracker, announce) as record,
            EngineSession(engine_start, clock, record.note_workers) as engine,
        ):
            with clock.phase("load"):
                prepared = load(settled, engine.up)
            with clock.phase("split"):
                strategy = strategy_for(prepared)
                strategy.split()
                prepared = prepared.without_rows()
            with clock.phase("startup"):
                record.begin(prepared)
                running = engine.take()
                record.note_engine(running)
                engine.register_cleanup(
                    record.engine_metrics(strategy.task_metrics(running.engine))
                )
                record.open_journal()
            with clock.phase("search"), record.driver_profile():
                strategy.connect(running.engine)
                if prepared.search.uses_folds:
                    _search(prepared, strategy, record)
                results = record.summarise()
                winner = best(results) if prepared.search.uses_folds else prepared.examples[0]
            with clock.phase("fit"), record.driver_profile():
                estimator = strategy.refit(winner.params)
            with clock.phase("score"), record.driver_profile():
                quality = strategy.evaluate(estimator)
            with clock.phase("tracking"):
                record.note_facts(strategy.facts())
                record.note_profiles(strategy.profiles())
                record.write(
                    results, winner, fitted_model(prepared, strategy.scaler, estimator), quality
                )
            record.write_metrics()
            with clock.phase("shutdown"):
                strategy.close()
                engine.close()
            return record.finish()


def plan(config: Config) -> Plan:
    """Say what `run` would do, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    return make_plan(load(make_settings(config)))


def _request(settled: RunSettings, workspace: Workspace) -> EngineRequest:
    modules = (
        *settled.config.model.modules,
        *strategy_modules(settled.config),
        "optibench.trials.context",
        "optibench.trials.worker",
        "optibench.measure.profiles.trial_profiles",
    )
    budget = settled.budget
    memory_bytes = available_memory_bytes()
    return EngineRequest(budget.workers, budget.threads, modules, workspace.logs, memory_bytes)


def _search(prepared: PreparedRun, strategy: Strategy, record: RunLifecycle) -> None:
    """Ask, run, tell, until the search proposes nothing more."""
    config, folds, scheduler = (
        prepared.config,
        prepared.config.evaluation.folds,
        strategy.scheduler(),
    )
    better = greater_is_better(prepared.metric)
    total, enabled = prepared.search.total * folds, config.top.progress
    with Progress(total, prepared.metric, greater_is_better=better, enabled=enabled) as progress:

        def on_trials(trials: Sequence[Trial]) -> None:
            record.trials += trials  # at once, so that an interrupted run keeps them
            progress.advance(trials, loop.budget_of)

        problem = SearchProblem(config.model, config.search, prepared.metric, folds)
        loop = SearchLoop(problem, prepared.search, scheduler, on_trials)
        record.note_search(loop, scheduler)
        loop.run()
