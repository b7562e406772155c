"""Load the table into the driver, or have the workers that will hold it survey its files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from optibench.datasets.encoding import encode
from optibench.errors import InputError
from optibench.evaluation.split import scaling_on
from optibench.measure.processes.machine import available_memory_bytes
from optibench.records import Task
from optibench.runner.parallelism import ParallelismInputs, choose
from optibench.runner.settings import PreparedRun
from optibench.strategies.data_parallel.files import SurveyedFiles
from optibench.strategies.data_parallel.memory import bytes_of_rows
from optibench.strategies.data_parallel.survey import (
    SurveyRequest,
    SurveyResult,
    survey_blocks,
    survey_with_engine,
)
from optibench.strategies.settings import EXAMPLE_ROWS
from optibench.validation import Case, check_table, validate_table, why_no_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.contracts import BlockFiles, Engine
    from optibench.runner.settings import RunSettings

    WaitForEngine = Callable[[], Engine] | None


def load(settings: RunSettings, engine: WaitForEngine = None) -> PreparedRun:
    """Load the table, or have the engine survey its files, and check it.

    `backend.parallelism=auto` is decided here; the settings that are returned have the choice.

    Args:
        settings: the run whose table is loaded.
        engine: waits for the started engine; None: this process surveys the files.

    Raises:
        InputError: the data cannot be used.
    """
    parallelism = settings.config.backend.parallelism
    if parallelism == "auto":
        return _load_and_choose(settings, engine)
    files = _files(settings) if parallelism == "data" else None
    return _load_table(settings) if files is None else _survey(settings, files, engine)


def _load_and_choose(settings: RunSettings, engine: WaitForEngine) -> PreparedRun:
    """Decide by the size of the files where it is known before they are read, else afterwards."""
    obstacle, files = why_no_data(settings.config), None
    if obstacle is None:
        try:
            files = _files(settings)
        except InputError as error:
            obstacle = str(error)
    if files is not None:
        size = (files.table_bytes, len(files.roles.features))
        chosen = _choose(settings, size, obstacle, engine)
        if chosen.is_trial_parallel:
            return _load_table(chosen)
        return _survey(chosen, files, engine)
    prepared = _load_table(settings)
    X = prepared.dataset.X
    chosen = _choose(settings, (X.nbytes, X.shape[1]), obstacle, engine)
    return replace(prepared, config=chosen.config, reason=chosen.reason)


def _choose(
    settings: RunSettings, size: tuple[int, int], obstacle: str | None, engine: WaitForEngine
) -> RunSettings:
    """Return settings with `trials` or `data` in place of `auto`.

    Args:
        settings: with `backend.parallelism=auto`.
        size: bytes and columns of the table in the driver's memory.
        obstacle: why `data` is impossible, or None.
        engine: waits for the started engine, which knows the memory of its workers.
    """
    config, memory_bytes = settings.config, available_memory_bytes()
    workers = settings.budget.workers
    worker_bytes = memory_bytes // workers
    if engine is not None and (training := engine().data_parallel) is not None:
        worker_bytes = training.worker_memory_bytes
    table_bytes, width = size
    held_bytes = 0.0
    support = config.model.distributed_fit
    if obstacle is None and support is not None and config.backend.persist == "MEMORY_ONLY":
        n_rows = table_bytes / (8 * max(1, width))
        held_bytes = bytes_of_rows(n_rows, width, support.value_bytes)
    choice = choose(
        ParallelismInputs(
            table_bytes=table_bytes,
            worker_bytes=worker_bytes,
            driver_bytes=memory_bytes,
            workers=workers,
            fits=settings.n_search_fits,
            why_no_data=obstacle,
            held_bytes=held_bytes,
        )
    )
    decided = replace(config, backend=config.backend.with_parallelism(choice.parallelism))
    return replace(settings, config=decided, reason=choice.reason)


def _files(settings: RunSettings) -> BlockFiles | None:
    classes = settings.task is Task.CLASSIFICATION
    return settings.config.dataset.in_blocks(classes=classes)


def _load_table(settings: RunSettings) -> PreparedRun:
    """Read and encode the whole table in this process."""
    config, evaluation = settings.config, settings.config.evaluation
    table = config.dataset.load(config.top.seed)
    table = replace(table, groups=evaluation.groups, time=evaluation.time)
    examples, with_folds = settings.search.examples, settings.search.uses_folds
    validate_table(config, table, examples, with_folds=with_folds)
    dataset = encode(table, config.model.task)
    scaling = scaling_on(config.dataset.scale, config.model.task)
    return PreparedRun(**vars(settings), dataset=dataset, scaling=scaling)


def _survey(settings: RunSettings, files: BlockFiles, engine: WaitForEngine) -> PreparedRun:
    """Learn from the workers, or from this process, what the files contain."""
    config, search = settings.config, settings.search
    request = SurveyRequest(files, config.model.task, settings.part_plan)
    if engine is None:
        results = [survey_blocks(request, batch) for batch in request.batches()]
    else:
        results = survey_with_engine(engine(), request)
    surveyed = SurveyedFiles.of(request, SurveyResult.merge(results))
    columns, n_rows = surveyed.columns, surveyed.seen.n_rows
    examples = tuple(search.examples)
    check_table(Case(config, files.roles, columns, n_rows, examples, search.uses_folds))
    scaling = scaling_on(config.dataset.scale, config.model.task)
    dataset = surveyed.dataset(EXAMPLE_ROWS)
    return PreparedRun(**vars(settings), dataset=dataset, scaling=scaling, files=surveyed)
