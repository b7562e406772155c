"""Loads the table: whole into the driver, or looked through by the workers that will hold it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optibench.datasets.encoding import encode
from optibench.errors import InputError
from optibench.evaluation.split import scaling_on
from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import Task
from optibench.runner.parallelism import ParallelismInputs, choose
from optibench.runner.settings import PreparedRun, RunSettings
from optibench.strategies.data_parallel.files import SurveyedFiles
from optibench.strategies.data_parallel.memory import bytes_of_rows
from optibench.strategies.data_parallel.survey import (
    SurveyRequest,
    SurveyResult,
    survey_blocks,
    survey_with_engine,
)
from optibench.trials.refit import EXAMPLE_ROWS
from optibench.validation import Case, check_table, validate_table, why_no_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.contracts import BlockFiles, Engine

    Waiting = Callable[[], Engine] | None


def load(settled: RunSettings, engine: Waiting = None) -> PreparedRun:
    """Load the table, or have the engine look through its files, and check all that it shows.

    With backend.parallelism=auto the way is chosen on the way: what is returned says which.

    Args:
        settled: what to load.
        engine: waits for the started engine; None: files are looked through here.

    Raises:
        InputError: the data cannot be used.
    """
    strategy = settled.config.backend.parallelism
    if strategy == "auto":
        return _load_as_it_fits(settled, engine)
    files = _files_of(settled) if strategy == "data" else None
    return _load_whole(settled) if files is None else _look_through(settled, files, engine)


def _load_as_it_fits(settled: RunSettings, engine: Waiting) -> PreparedRun:
    """Files whose size shows before they are read are read once only, in the way chosen."""
    why, files = why_no_data(settled.config), None
    if why is None:
        try:
            files = _files_of(settled)
        except InputError as error:
            why = str(error)
    if files is not None:
        width = len(files.roles.features)
        chosen = _chosen(settled, (files.table_bytes, width), why, engine)
        return _load_whole(chosen) if chosen.is_by_trials else _look_through(chosen, files, engine)
    prepared = _load_whole(settled)
    X = prepared.dataset.X
    chosen = _chosen(settled, (X.nbytes, X.shape[1]), why, engine)
    return replace(prepared, config=chosen.config, reason=chosen.reason)


def _chosen(
    settled: RunSettings, size: tuple[int, int], why: str | None, engine: Waiting
) -> RunSettings:
    """`size`: of the table as the driver would hold it, in bytes and in columns."""
    config, here = settled.config, available_memory_bytes()
    workers, folds = settled.budget.workers, config.evaluation.folds
    workers_have = here // workers
    if engine is not None:
        training = engine().data_parallel
        workers_have = workers_have if training is None else training.worker_memory_bytes
    table_bytes, width = size
    cached_bytes = 0.0
    support = config.model.distributed_fit
    if why is None and support is not None and config.backend.persist == "MEMORY_ONLY":
        n_rows = table_bytes / (8 * max(1, width))
        cached_bytes = bytes_of_rows(n_rows, width, support.value_bytes)
    choice = choose(
        ParallelismInputs(
            table_bytes=table_bytes,
            worker_bytes=workers_have,
            driver_bytes=here,
            workers=workers,
            fits=settled.search.total * folds if settled.search.uses_folds else 0,
            why_no_data=why,
            cached_bytes=cached_bytes,
        )
    )
    decided = replace(config, backend=config.backend.with_parallelism(choice.parallelism))
    return replace(settled, config=decided, reason=choice.reason)


def _files_of(settled: RunSettings) -> BlockFiles | None:
    config = settled.config
    return config.dataset.in_blocks(classes=config.model.task is Task.CLASSIFICATION)


def _load_whole(settled: RunSettings) -> PreparedRun:
    config, evaluation = settled.config, settled.config.evaluation
    table = config.dataset.load(config.top.seed)
    table = replace(table, groups=evaluation.groups, time=evaluation.time)
    validate_table(config, table, settled.examples, with_folds=settled.search.uses_folds)
    dataset = encode(table, config.model.task)
    scaling = scaling_on(config.dataset.scale, config.model.task)
    return PreparedRun(**vars(settled), dataset=dataset, scaling=scaling)


def _look_through(settled: RunSettings, files: BlockFiles, engine: Waiting) -> PreparedRun:
    config, with_folds = settled.config, settled.search.uses_folds
    request = SurveyRequest(files, config.model.task, settled.part_plan)
    if engine is None:
        results = [survey_blocks(request, batch) for batch in request.batches()]
    else:
        results = survey_with_engine(engine(), request)
    surveyed = SurveyedFiles.of(request, SurveyResult.merge(results))
    examples = tuple(settled.examples)
    check_table(
        Case(config, files.roles, surveyed.columns, surveyed.seen.n_rows, examples, with_folds)
    )
    scaling = scaling_on(config.dataset.scale, config.model.task)
    dataset = surveyed.dataset(EXAMPLE_ROWS)
    return PreparedRun(**vars(settled), dataset=dataset, scaling=scaling, files=surveyed)
