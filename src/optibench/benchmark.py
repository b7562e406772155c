"""One benchmark, in the order in which it runs: the story is here, the work is in the rooms."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optibench.backends.kept import opened
from optibench.backends.shield import starting
from optibench.evaluation.ranking import best
from optibench.evaluation.scoring import greater_is_better
from optibench.evaluation.split import SplitPlan, split
from optibench.measure.machine import available_memory_bytes
from optibench.measure.phases import Recorder
from optibench.premises import Premises
from optibench.preparation import import_data_libraries, load, plan_of, settle
from optibench.recording import RunRecord, open_tracker
from optibench.records import EngineRequest, Entry, Plan, Result, Split, Trial
from optibench.report.progress import Progress
from optibench.trials.loop import Question, SearchLoop
from optibench.trials.refit import fitted_model, judge, refit
from optibench.trials.schedule import Schedule, rehearse
from optibench.trials.worker import TrialContext, run_batch
from optibench.validation import validate_split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Engine, Tracker
    from optibench.preparation import Prepared, Settled

KEEP_PART = 8  # all workers together keep at most this part of the memory for candidates to share


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
        BenchmarkError: the run was created and says FAILED and why.
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
            import_data_libraries()
        with clock.phase("load"):
            prepared = load(settled)
        with clock.phase("split"):
            parts = _split(prepared)
            validate_split(config, parts, prepared.examples)
            prepared = prepared.without_rows()
        with clock.phase("startup"):
            tracker = tracker or open_tracker(config)
        with (
            RunRecord(prepared, clock, tracker, premises, announce) as record,
            ExitStack() as engines,
        ):
            with clock.phase("startup"):
                running = engines.enter_context(engine_start.taken())
                record.note_engine(running)
                record.open_journal()
            with clock.phase("search"), record.driver_profile():
                if prepared.search.uses_folds:
                    shared, parts = _share(prepared, parts, running.engine)
                    _search(prepared, running.engine, shared, record)
            results = record.summarise()
            winner = best(results) if prepared.search.uses_folds else prepared.examples[0]
            with clock.phase("fit"), record.driver_profile():
                estimator = refit(prepared, parts, winner.params)
            with clock.phase("score"), record.driver_profile():
                quality = judge(prepared, parts, estimator)
            with clock.phase("tracking"):
                record.write(results, winner, fitted_model(prepared, parts, estimator), quality)
            record.write_metrics()
            with clock.phase("shutdown"):
                engines.close()
            return record.finish()


def plan(config: Config) -> Plan:
    """Say what `run` would do, and run nothing.

    Raises:
        InputError: wrong configuration or data.
    """
    return plan_of(load(settle(config)))


def _split(prepared: Prepared) -> Split:
    config = prepared.config
    plan = SplitPlan(
        task=prepared.task,
        settings=config.evaluation,
        scale=prepared.scaling,
        seed=config.top.seed,
        with_folds=prepared.search.uses_folds,
    )
    return split(prepared.dataset, plan)


def _request(settled: Settled, premises: Premises) -> EngineRequest:
    modules = (
        *settled.config.model.modules,
        "optibench.trials.worker",
        "optibench.measure.profiles",
    )
    budget = settled.budget
    return EngineRequest(budget.workers, budget.threads, modules, premises.logs)


def _share(prepared: Prepared, parts: Split, engine: Engine) -> tuple[Any, Split]:
    """Share the train part with every worker; the driver goes on with what the workers see."""
    shared = engine.share(_context(prepared, parts))
    seen = engine.view(shared)
    return shared, replace(parts, X_train=seen.X, y_train=seen.y, folds=())


def _search(prepared: Prepared, engine: Engine, shared: Any, record: RunRecord) -> None:
    """Ask, run, tell, until the search proposes nothing more."""
    config, folds = prepared.config, prepared.config.evaluation.folds
    limits = (config.search.target, config.search.max_seconds, prepared.search.window)
    in_order = any(limit is not None for limit in limits)  # whole candidates soon, not the longest
    schedule = Schedule(engine, run_batch, shared, in_order=in_order)
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


def _context(prepared: Prepared, parts: Split) -> TrialContext:
    config = prepared.config
    return TrialContext(
        model=config.model,
        X=parts.X_train,
        y=parts.y_train,
        folds=parts.folds,
        facts=prepared.facts,
        scoring=prepared.scoring,
        metric=prepared.metric,
        seed=config.top.seed,
        threads=prepared.budget.threads,
        profiling=config.profiling.enabled,
        reuse=config.search.reuse,
        keep_bytes=available_memory_bytes() // (KEEP_PART * prepared.budget.workers),
    )
