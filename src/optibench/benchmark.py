"""One benchmark, in the order in which it runs: the story is here, the work is in the rooms."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from optibench.backends.kept import opened
from optibench.backends.shield import starting
from optibench.engine_of_run import EngineOfRun
from optibench.evaluation.ranking import best
from optibench.evaluation.scoring import greater_is_better
from optibench.loading import load
from optibench.measure.machine import available_memory_bytes
from optibench.measure.phases import Recorder
from optibench.premises import Premises
from optibench.preparation import import_libraries, plan_of, settle
from optibench.recording import RunRecord
from optibench.records import EngineRequest, Entry, Plan, Result, Trial
from optibench.report.progress import Progress
from optibench.trials.loop import Question, SearchLoop
from optibench.trials.refit import fitted_model
from optibench.trials.schedule import rehearse
from optibench.ways import way_modules, way_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Tracker
    from optibench.preparation import Prepared, Settled
    from optibench.ways import Way


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
            settled = settle(config)
            premises = stack.enter_context(Premises(clock))
            engine_start = stack.enter_context(
                starting(
                    opened(config.backend, _request(settled, premises), rehearse),
                    premises.stop_processes,
                )
            )
            import_libraries(way_modules(config))
        with (
            RunRecord(settled, clock, premises, tracker, announce) as record,
            EngineOfRun(engine_start, clock, record.note_workers) as engine,
        ):
            with clock.phase("load"):
                prepared = load(settled, engine.up)
            with clock.phase("split"):
                way = way_of(prepared)
                way.split()
                prepared = prepared.without_rows()
            with clock.phase("startup"):
                record.begin(prepared)
                running = engine.take()
                record.note_engine(running)
                engine.beside(record.engine_record(way.own_record(running.engine)))
                record.open_journal()
            with clock.phase("search"), record.driver_profile():
                way.connect(running.engine)
                if prepared.search.uses_folds:
                    _search(prepared, way, record)
                results = record.summarise()
                winner = best(results) if prepared.search.uses_folds else prepared.examples[0]
            with clock.phase("fit"), record.driver_profile():
                estimator = way.refit(winner.params)
            with clock.phase("score"), record.driver_profile():
                quality = way.judge(estimator)
            with clock.phase("tracking"):
                record.note_facts(way.facts())
                record.note_profiles(way.profiles())
                record.write(
                    results, winner, fitted_model(prepared, way.scaler, estimator), quality
                )
            record.write_metrics()
            with clock.phase("shutdown"):
                way.close()
                engine.close()
            return record.finish()


def plan(config: Config) -> Plan:
    """Say what `run` would do, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    return plan_of(load(settle(config)))


def _request(settled: Settled, premises: Premises) -> EngineRequest:
    modules = (
        *settled.config.model.modules,
        *way_modules(settled.config),
        "optibench.trials.worker",
        "optibench.measure.profiles",
    )
    budget = settled.budget
    memory_bytes = available_memory_bytes()
    return EngineRequest(budget.workers, budget.threads, modules, premises.logs, memory_bytes)


def _search(prepared: Prepared, way: Way, record: RunRecord) -> None:
    """Ask, run, tell, until the search proposes nothing more."""
    config, folds, schedule = prepared.config, prepared.config.evaluation.folds, way.schedule()
    better = greater_is_better(prepared.metric)
    total, enabled = prepared.search.total * folds, config.top.progress
    with Progress(total, prepared.metric, greater_is_better=better, enabled=enabled) as progress:

        def on_trials(trials: Sequence[Trial]) -> None:
            record.trials += trials  # at once, so that an interrupted run keeps them
            progress.advance(trials, loop.budget_of)

        question = Question(config.model, config.search, prepared.metric, folds)
        loop = SearchLoop(question, prepared.search, schedule, on_trials)
        record.note_search(loop, schedule)
        loop.run()
