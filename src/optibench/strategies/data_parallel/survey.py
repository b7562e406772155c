"""Looks once at a table in files, block by block, so that the driver knows it without holding it.

Workers tell what the validator, the encoder and the scaler need. Which blocks one task takes does
not depend on the number of workers: sums over rows round alike on every engine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.datasets.columns import Kind, numbers
from optibench.datasets.facts import SeenColumn, counted
from optibench.errors import DataError
from optibench.evaluation.moments import Moments
from optibench.evaluation.parts import PartPlan, part_numbers, row_keys
from optibench.records import Block, Task
from optibench.strategies.data_parallel.chunks import batches_of
from optibench.strategies.data_parallel.parts import PartFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from optibench.contracts import BlockFiles, Engine

MOST_LABELS = 100_000  # of one column; every worker holds all of them
USABLE = (Kind.NUMBER, Kind.BOOLEAN)  # the rest is refused once all is seen


@dataclass(frozen=True, eq=False)
class SurveyRequest:
    """What workers are asked to look at.

    Attributes:
        task: of the model.
        plan: how rows are dealt out to parts.
    """

    files: BlockFiles
    task: Task
    plan: PartPlan

    @property
    def target(self) -> str | None:
        """The column to predict; for clusters there is none."""
        return None if self.task is Task.CLUSTERING else self.files.roles.target

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns whose values are counted."""
        target = (self.target,) if self.task is Task.CLASSIFICATION and self.target else ()
        return (*self.files.roles.categorical, *target)

    def batches(self) -> list[list[Block]]:
        """The blocks that one task looks at."""
        return batches_of(self.files.blocks, len(self.files.roles.frame.columns))


@dataclass(frozen=True, eq=False)
class SurveyResult:
    """What was seen of some blocks.

    Attributes:
        blocks: with their rows counted, those without rows left out.
        parts: their classes are values as they are in the file.
        digests: of the values, in the order of the rows.
        refusal: why they cannot be read; the rest is then empty.
    """

    blocks: tuple[Block, ...] = ()
    columns: Mapping[str, SeenColumn] = field(default_factory=dict)
    parts: Mapping[int, PartFacts] = field(default_factory=dict)
    digests: tuple[bytes, ...] = ()
    refusal: str | None = None

    @classmethod
    def merge(cls, looks: Iterable[SurveyResult]) -> SurveyResult:
        """Of all blocks together; the first refusal stands for all."""
        seen = [look for look in looks if look.columns or look.refusal]
        for look in seen:
            if look.refusal is not None:
                return look
        columns = {
            name: SeenColumn.merge([look.columns[name] for look in seen])
            for name in (seen[0].columns if seen else ())
        }
        for name, column in columns.items():
            if len(column.labels) > MOST_LABELS:
                refusal = (
                    f"Column {name!r} has more than {MOST_LABELS} distinct values: as categories "
                    f"or classes at most {MOST_LABELS} can be had. Leave it out, or name another "
                    "target."
                )
                return cls(refusal=refusal)
        return cls(
            tuple(block for look in seen for block in look.blocks),
            columns,
            PartFacts.by_part(look.parts for look in seen),
            tuple(digest for look in seen for digest in look.digests),
        )

    @property
    def n_rows(self) -> int:
        """Of all blocks."""
        return sum(block.n_rows for block in self.blocks)


def survey_with_engine(engine: Engine, request: SurveyRequest) -> list[SurveyResult]:
    """What all workers see, in the order of the blocks."""
    shared = engine.share(request)
    results = [engine.submit(survey_blocks, shared, batch) for batch in request.batches()]
    return [result.result() for result in results]


def survey_blocks(request: SurveyRequest, blocks: Sequence[Block]) -> SurveyResult:
    """Read some blocks; runs in a worker. What cannot be read is told, not raised."""
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
    """A block, piece by piece."""
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
    """The classes of some rows, and the sum of the numbers to predict."""
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
    """Of the values, whatever their types in the file."""
    from pandas.util import hash_pandas_object

    digest = hashlib.blake2b(np.ascontiguousarray(X).data, digest_size=16)
    for column in labels:
        digest.update(hash_pandas_object(column, index=False).to_numpy().data)
    return digest.digest()
