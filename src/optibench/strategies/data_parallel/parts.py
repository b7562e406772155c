"""The parts of a table: their rows, their classes, and how they are scaled."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from optibench.contracts import FitJob
from optibench.errors import DataError
from optibench.evaluation.moments import Moments, scaler_of
from optibench.evaluation.parts import sample_limit
from optibench.records import HELD_OUT
from optibench.strategies.data_parallel.chunks import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optibench.contracts import PartitionedTable, PredictionRequest
    from optibench.evaluation.parts import PartPlan
    from optibench.records import Block, Params

FEWEST_ROWS = 2
# XGBoost's quantile sketch takes memory for each feature, which grows with the logarithm of the
# rows: more than 2 MB for 844,000 rows in a worker. The bins of larger tables come from a seeded
# sample, as in LightGBM, which samples 200,000 rows.
SKETCHED_VALUES = 2**28
SAMPLED_VALUES = 2**26


@dataclass(frozen=True, eq=False)
class PartFacts:
    """Facts of one part.

    Attributes:
        n_rows: number of rows.
        moments: sums over the rows of each feature.
        classes: number of rows of each class; empty where there are no classes.
        target_sum: sum of the values to predict; 0 where there are none.
    """

    n_rows: int
    moments: Moments
    classes: Counter[Any]
    target_sum: float

    @classmethod
    def merge(cls, facts: Sequence[PartFacts]) -> PartFacts:
        """Merge the facts of one part in several groups of blocks."""
        return cls(
            sum(f.n_rows for f in facts),
            Moments.merge(f.moments for f in facts),
            sum((f.classes for f in facts), Counter()),
            sum(f.target_sum for f in facts),
        )

    def with_codes(self, codes: Mapping[Any, int]) -> PartFacts:
        """Return the facts with classes as their codes."""
        coded: Counter[Any] = Counter()
        for value, rows in self.classes.items():
            coded[codes[value]] += rows
        return replace(self, classes=coded)

    @classmethod
    def by_part(cls, found: Iterable[Mapping[int, PartFacts]]) -> dict[int, PartFacts]:
        """Merge the facts of each part."""
        by_part: dict[int, list[PartFacts]] = {}
        for parts in found:
            for part, facts in parts.items():
                by_part.setdefault(part, []).append(facts)
        return {part: cls.merge(facts) for part, facts in sorted(by_part.items())}


def survey(
    table: PartitionedTable, blocks: Sequence[Block], plan: PartPlan
) -> dict[int, PartFacts]:
    """Collect the facts of each part of a table that the driver holds."""
    read = ChunkReader(plan, None, None, "float64")
    found: list[dict[int, PartFacts]] = []
    for block in blocks:
        parts: dict[int, PartFacts] = {}
        for chunk in read(table, [block]):
            codes: Counter[int] = Counter()
            total = 0.0
            if chunk.y is not None and chunk.y.dtype.kind == "i":
                codes.update(dict(enumerate(np.bincount(chunk.y).tolist())))
            elif chunk.y is not None:
                total = float(chunk.y.sum())
            parts[chunk.part] = PartFacts(len(chunk.X), Moments.of(chunk.X), codes, total)
        found.append(parts)
    return PartFacts.by_part(found)


@dataclass(frozen=True, eq=False)
class Parts:
    """All parts of a table.

    Attributes:
        of: facts of the parts HELD_OUT and 0 to folds - 1.
        scaler: fitted on the rows that are not held out, or None where scaling is off.
    """

    plan: PartPlan
    of: Mapping[int, PartFacts]
    scaler: Any | None

    @classmethod
    def make(cls, plan: PartPlan, of: Mapping[int, PartFacts], *, scale: bool) -> Parts:
        """Fit the scaler, where scaling is on, and return the parts."""
        train = [facts.moments for part, facts in of.items() if part != HELD_OUT]
        return cls(plan, of, scaler_of(Moments.merge(train)) if scale and train else None)

    @property
    def train(self) -> frozenset[int]:
        """Every part that is not held out."""
        return frozenset(range(self.plan.folds))

    def without(self, fold: int) -> frozenset[int]:
        """Return the parts that a trial of `fold` is fitted on."""
        return self.train - {fold}

    def n_rows(self, parts: Iterable[int]) -> int:
        """Return the number of rows of some parts."""
        return sum(self.of[part].n_rows for part in parts)

    def spread(self, parts: Iterable[int]) -> float:
        """Return the mean over the features of their variance in some parts, after scaling."""
        variance = Moments.merge(self.of[part].moments for part in parts).variance
        scale = 1.0 if self.scaler is None else self.scaler.scale_
        return float(np.mean(variance / scale**2))

    def job(
        self,
        candidates: Sequence[Params],
        train: frozenset[int],
        requests: Sequence[PredictionRequest],
    ) -> FitJob:
        """Return the job that fits candidates on the rows of some parts."""
        n_rows, width = self.n_rows(train), len(self.of[HELD_OUT].moments.variance)
        uses_all = n_rows * width <= SKETCHED_VALUES
        limit = sample_limit(n_rows, n_rows if uses_all else SAMPLED_VALUES // width)
        return FitJob(candidates, train, requests, n_rows, self.spread(train), limit)

    def constant(self, n_classes: int) -> Any:
        """Return the constant prediction: frequencies of the train part's classes, or its mean."""
        total = self.n_rows(self.train)
        if not n_classes:
            return sum(self.of[part].target_sum for part in self.train) / total
        counts = sum((self.of[part].classes for part in self.train), Counter())
        return np.array([counts[code] for code in range(n_classes)]) / total

    def reader(self, dtype: str) -> ChunkReader:
        """Return a reader that splits and scales chunks like these parts."""
        if self.scaler is None:
            return ChunkReader(self.plan, None, None, dtype)
        return ChunkReader(self.plan, self.scaler.mean_, self.scaler.scale_, dtype)

    def check(self, n_classes: int) -> None:
        """Refuse parts that cannot be fitted or scored.

        Raises:
            DataError: a part has too few rows, or the rows of a fit lack a class.
        """
        for part in (HELD_OUT, *range(self.plan.folds)):
            rows = self.of[part].n_rows if part in self.of else 0
            if rows < FEWEST_ROWS:
                name = "the held-out part" if part == HELD_OUT else f"fold {part}"
                msg = (
                    f"backend.parallelism=data assigns rows to parts by a hash, and {name} got "
                    f"{rows} of {self.n_rows(self.of)} rows; at least {FEWEST_ROWS} are needed. "
                    "Use more rows, fewer folds (evaluation.folds), or backend.parallelism=trials."
                )
                raise DataError(msg)
        for fold in range(self.plan.folds):
            fitted = self.without(fold) or self.train
            counts = sum((self.of[part].classes for part in fitted), Counter())
            lacking = [code for code in range(n_classes) if not counts[code]]
            if lacking:
                msg = (
                    "backend.parallelism=data assigns rows to parts by a hash; the train rows of "
                    f"fold {fold} have none of the class with code {lacking[0]}. Use more rows, "
                    "fewer folds (evaluation.folds), or backend.parallelism=trials."
                )
                raise DataError(msg)
