"""One benchmark, in the order in which it runs: the story is here, the work is in the rooms."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from optibench.backends.shield import shielded
from optibench.evaluation.ranking import best, summarise
from optibench.evaluation.scoring import greater_is_better
from optibench.evaluation.split import SplitPlan, split
from optibench.measure.phases import Recorder
from optibench.preparation import plan_of, prepare
from optibench.recording import RunRecord, open_tracker
from optibench.records import EngineRequest, Entry, Plan, Result, Split, Trial, Unit
from optibench.report.progress import Progress
from optibench.trials.refit import fitted_model, judge, refit
from optibench.trials.schedule import Schedule, rehearse
from optibench.trials.worker import TrialContext, run_batch
from optibench.validation import validate_split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.config.schema import Config
    from optibench.contracts import Engine, Tracker
    from optibench.preparation import Prepared


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
        InputError: wrong configuration or data; no run was created and no engine started.
        BenchmarkError: the run was created and says FAILED and why.
    """
    with Recorder(*(entry or Entry.now())) as clock:
        prepared = prepare(config, clock)
        with clock.phase("split"):
            parts = _split(prepared)
            validate_split(config, parts, prepared.candidates)
        with clock.phase("startup"):
            tracker = tracker or open_tracker(config)
        with RunRecord(prepared, clock, tracker, announce) as record, ExitStack() as engines:
            with clock.phase("startup"):
                engine = engines.enter_context(
                    shielded(config.backend.open(_request(prepared, record)))
                )
                rehearse(engine)
                record.note_engine(engine)
            with clock.phase("search"), record.driver_profile():
                _search(prepared, parts, engine, record)
            results = summarise(record.trials, prepared.metric, config.evaluation.folds)
            winner = best(results) if prepared.search.uses_folds else prepared.candidates[0]
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
    with Recorder(*Entry.now()) as clock:
        return plan_of(prepare(config, clock))


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


def _request(prepared: Prepared, record: RunRecord) -> EngineRequest:
    modules = (
        *prepared.config.model.modules,
        "optibench.trials.worker",
        "optibench.measure.profiles",
    )
    budget = prepared.budget
    return EngineRequest(budget.workers, budget.threads, modules, record.logs)


def _search(prepared: Prepared, parts: Split, engine: Engine, record: RunRecord) -> None:
    """Ask, run, tell, until the search proposes nothing more; the data is shared once."""
    search, folds = prepared.search, prepared.config.evaluation.folds
    if not search.uses_folds:
        return
    schedule = Schedule(engine, run_batch, engine.share(_context(prepared, parts)))
    record.schedule = schedule
    better = greater_is_better(prepared.metric)
    with Progress(
        search.total * folds,
        prepared.metric,
        greater_is_better=better,
        enabled=prepared.config.top.progress,
    ) as progress:

        def on_trials(trials: Sequence[Trial]) -> None:
            record.trials += trials  # at once, so that an interrupted run keeps them
            progress.advance(trials)

        candidates = prepared.candidates
        while candidates:
            units = [Unit(candidate, fold) for candidate in candidates for fold in range(folds)]
            finished = schedule.run(units, on_trials)
            search.tell(summarise(finished, prepared.metric, folds))
            candidates = search.ask()
    record.trials.sort(key=lambda trial: (trial.candidate, trial.fold))


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
    )
