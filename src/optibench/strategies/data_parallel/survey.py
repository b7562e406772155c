"""Survey a table in files, block by block, so that the driver knows it without holding it.

Workers collect what validator, encoder and scaler need. The blocks of one task do not depend on
the number of workers, so that sums over rows round alike on every engine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.datasets.columns import numbers
from optibench.datasets.facts import SeenColumn, counted
from optibench.errors import DataError
from optibench.evaluation.moments import Moments
from optibench.evaluation.parts import PartPlan, part_numbers, row_keys
from optibench.records import Block, ColumnKind, Task
from optibench.strategies.data_parallel.chunks import batches_of
from optibench.strategies.data_parallel.parts import PartFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from optibench.contracts import BlockFiles, Engine

MAX_LABELS = 100_000  # of one column; every worker holds all of them
USABLE = (ColumnKind.NUMBER, ColumnKind.BOOLEAN)  # the validator refuses other kinds


@dataclass(frozen=True, eq=False)
class SurveyRequest:
    """What workers survey.

    Attributes:
        files: the table.
        task: task of the model.
        plan: how rows are divided between parts.
    """

    files: BlockFiles
    task: Task
    plan: PartPlan

    @property
    def target(self) -> str | None:
        """The column to predict; None for clustering."""
        return None if self.task is Task.CLUSTERING else self.files.roles.target

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns whose distinct values are counted."""
        target = (self.target,) if self.task is Task.CLASSIFICATION and self.target else ()
        return (*self.files.roles.categorical, *target)

    def batches(self) -> list[list[Block]]:
        """Return the blocks of each task."""
        return batches_of(self.files.blocks, len(self.files.roles.frame.columns))


@dataclass(frozen=True, eq=False)
class SurveyResult:
    """What a survey found in some blocks.

    Attributes:
        blocks: blocks that have rows, with their number of rows.
        columns: what each column holds.
        parts: facts of each part, with classes as their values in the file.
        digests: digests of the values, in the order of the rows.
        refusal: why the blocks cannot be read; the other fields are then empty.
    """

    blocks: tuple[Block, ...] = ()
    columns: Mapping[str, SeenColumn] = field(default_factory=dict)
    parts: Mapping[int, PartFacts] = field(default_factory=dict)
    digests: tuple[bytes, ...] = ()
    refusal: str | None = None

    @classmethod
    def merge(cls, results: Iterable[SurveyResult]) -> SurveyResult:
        """Merge the results of all blocks; return the first refusal where there is one."""
        found = [result for result in results if result.columns or result.refusal]
        for result in found:
            if result.refusal is not None:
                return result
        columns = {
            name: SeenColumn.merge([result.columns[name] for result in found])
            for name in (found[0].columns if found else ())
        }
        for name, column in columns.items():
            if len(column.labels) > MAX_LABELS:
                refusal = (
                    f"Column {name!r} has more than {MAX_LABELS} distinct values, the maximum for "
                    "categories and classes. Leave it out (dataset.drop), or name another target "
                    "(dataset.target)."
                )
                return cls(refusal=refusal)
        return cls(
            tuple(block for result in found for block in result.blocks),
            columns,
            PartFacts.by_part(result.parts for result in found),
            tuple(digest for result in found for digest in result.digests),
        )

    @property
    def n_rows(self) -> int:
        """Number of rows of all blocks."""
        return sum(block.n_rows for block in self.blocks)


def survey_with_engine(engine: Engine, request: SurveyRequest) -> list[SurveyResult]:
    """Survey the files with all workers; return the results in the order of the blocks."""
    shared = engine.share(request)
    results = [engine.submit(survey_blocks, shared, batch) for batch in request.batches()]
    return [result.result() for result in results]


def survey_blocks(request: SurveyRequest, blocks: Sequence[Block]) -> SurveyResult:
    """Survey some blocks in a worker; an error of reading is returned as the refusal."""
    try:
        looks: list[SurveyResult] = []
        for block in blocks:
            looks.append(_look_at(request, block))
            if looks[-1].refusal is not None:
                return looks[-1]
        return SurveyResult.merge(looks)
    except DataError as error:
        return SurveyResult(refusal=str(error))


def _look_at(request: SurveyRequest, block: Block) -> SurveyResult:
    """Survey one block, piece by piece."""
    pieces, rows = [], 0
    for frame in request.files.frames(block):
        pieces.append(_piece(request, frame, block, block.first_row + rows))
        rows += len(frame)
    seen = SurveyResult.merge(pieces)
    if seen.refusal is not None or not rows:
        return seen
    return replace(seen, blocks=(replace(block, n_rows=rows),))


def _piece(
    request: SurveyRequest, frame: pd.DataFrame, block: Block, first_row: int
) -> SurveyResult:
    labels = request.labels
    columns = {
        str(name): SeenColumn.of(frame[name], labels=name in labels) for name in frame.columns
    }
    held = {
        name: numbers(frame[name])
        for name, column in columns.items()
        if name not in labels and column.kind in USABLE and not column.infinite
    }
    empty = np.full(len(frame), np.nan)
    features = request.files.roles.features
    X = np.stack([empty, *(held.get(name, empty) for name in features)], axis=1)[:, 1:]
    keys = row_keys(request.plan.seed, block.file, first_row, len(frame))
    parts = part_numbers(keys, request.plan)
    return SurveyResult(
        columns=columns,
        parts={
            int(part): _facts(X[own], *_target_of(request, frame, own))
            for part in np.unique(parts)
            if len(own := np.flatnonzero(parts == part))
        },
        digests=(_digest(X, [frame[name] for name in labels]),),
    )


def _target_of(
    request: SurveyRequest, frame: pd.DataFrame, rows: NDArray[np.intp]
) -> tuple[Counter[Any], float]:
    """Return the counts of classes of some rows, and the sum of the numbers to predict."""
    name = request.target
    if name is None:
        return Counter(), 0.0
    values = frame[name].iloc[rows]
    if name in request.labels:
        return Counter(counted(values)), 0.0
    column = SeenColumn.of(values, labels=False)
    return Counter(), float(numbers(values).sum()) if column.kind in USABLE else np.nan


def _facts(X: NDArray[np.float64], classes: Counter[Any], total: float) -> PartFacts:
    return PartFacts(len(X), Moments.of(X), classes, total)


def _digest(X: NDArray[np.float64], labels: Sequence[pd.Series]) -> bytes:
    """Return a digest of the values that does not depend on their types in the file."""
    from pandas.util import hash_pandas_object

    digest = hashlib.blake2b(np.ascontiguousarray(X).data, digest_size=16)
    for column in labels:
        digest.update(hash_pandas_object(column, index=False).to_numpy().data)
    return digest.digest()
