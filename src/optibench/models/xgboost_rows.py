"""A worker's rows as XGBoost takes them: quantised to train on, as they are to be asked about."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from optibench.records import StoredChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optibench.contracts import Ask, FitJob, FitSetting
    from optibench.records import Chunk


class WorkerRows:
    """A worker's rows: those to train on, and those to be asked about."""

    def __init__(
        self, chunks: Sequence[Chunk], job: FitJob, setting: FitSetting, *, first: bool
    ) -> None:
        """Sort out the chunks; the `first` worker sends the boosters."""
        self.setting = setting
        self.first = first
        self._train = [chunk for chunk in chunks if chunk.part in job.train]
        self._chunks = chunks
        self._asks = job.asks

    def matrix(self, bins: int) -> Any:
        """The rows to train on, quantised together with the other workers'.

        Where chunks lie in files, so does the matrix, and the trees are the same.
        """
        from xgboost import ExtMemQuantileDMatrix, QuantileDMatrix

        types = self.setting.facts.feature_types
        stored = next((c.folder for c in self._train if isinstance(c, StoredChunk)), None)
        make = QuantileDMatrix if stored is None else ExtMemQuantileDMatrix
        return make(
            _iterator(self._train, types, None if stored is None else f"{stored}-{bins}"),
            max_bin=bins,
            missing=math.nan,
            enable_categorical=types is not None,
            nthread=self.setting.threads,
        )

    def answers(self, booster: Any) -> tuple[tuple[Any, Any], ...]:
        """What `booster` says of the rows of each ask that this worker has."""
        return tuple(self._answer(booster, ask) for ask in self._asks)

    def _answer(self, booster: Any, ask: Ask) -> tuple[Any, Any]:
        import numpy as np

        orders, answers = [], []
        for chunk in self._chunks:
            if chunk.part not in ask.parts:
                continue
            rows = chunk.below(ask.limit)
            if len(rows.X):
                orders.append(rows.order)
                answers.append(booster.inplace_predict(rows.X, validate_features=False))
        if not orders:
            return np.empty(0, np.uint64), None
        return np.concatenate(orders), np.concatenate(answers)


def _iterator(chunks: Sequence[Chunk], types: Sequence[str] | None, cache: str | None) -> Any:
    """The chunks as XGBoost wants them one after the other, several times over.

    `cache`: how the names of files begin in which it keeps the matrix; None: in memory.
    """
    from xgboost import DataIter

    class Iterator(DataIter):
        def __init__(self) -> None:
            self._next = 0
            super().__init__(cache_prefix=cache, on_host=False, release_data=cache is not None)

        def next(self, input_data: Callable[..., Any]) -> bool:
            if self._next == len(chunks):
                return False
            chunk = chunks[self._next]
            kinds = {} if types is None else {"feature_types": list(types)}
            input_data(data=chunk.X, label=chunk.y, **kinds)
            self._next += 1
            return True

        def reset(self) -> None:
            self._next = 0

    return Iterator()
