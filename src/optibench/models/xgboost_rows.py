"""A worker's rows in XGBoost's formats: quantised for training, unchanged for prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.records import StoredChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from xgboost import Booster, DataIter, DMatrix

    from optibench.contracts import FitJob, FitSetting, PredictionRequest
    from optibench.records import Chunk

    # Order and predictions of rows.
    PartialPrediction = tuple[NDArray[np.uint64], NDArray[Any] | None]

EVERY_ROW = 2**64  # a limit above every row's order


class WorkerRows:
    """A worker's rows: those to train on, and those to predict."""

    def __init__(
        self,
        chunks: Sequence[Chunk | StoredChunk],
        job: FitJob,
        setting: FitSetting,
        *,
        first: bool,
    ) -> None:
        """Select the chunks to train on; the `first` worker sends the boosters."""
        self.setting = setting
        self.first = first
        self._train = [chunk for chunk in chunks if chunk.part in job.train]
        self._chunks = chunks
        self._requests = job.requests
        self._sketch_limit = job.sketch_limit

    def matrix(self, bins: int) -> DMatrix:
        """Quantise the rows to train on, together with the other workers.

        If the chunks are in files, so is the matrix; the trees are the same. For a large table the
        bins are those of a sample.
        """
        from xgboost import ExtMemQuantileDMatrix, QuantileDMatrix

        types = self.setting.facts.feature_types
        settings = {
            "max_bin": bins,
            "missing": math.nan,
            "enable_categorical": types is not None,
            "nthread": self.setting.threads,
        }
        sample = None
        if self._sketch_limit < EVERY_ROW:
            rows = Batches(self._train, types, limit=self._sketch_limit)
            sample = QuantileDMatrix(rows.iterator(release=True), **settings)
        stored = next((c.folder for c in self._train if isinstance(c, StoredChunk)), None)
        rows = Batches(self._train, types)
        if stored is None:
            return QuantileDMatrix(rows.iterator(), ref=sample, **settings)
        files = rows.iterator(f"{stored}-{bins}", release=True)
        return ExtMemQuantileDMatrix(files, ref=sample, **settings)

    def predictions(self, booster: Booster) -> tuple[PartialPrediction, ...]:
        """Predict this worker's rows of each request."""
        return tuple(self._predict(booster, request) for request in self._requests)

    def _predict(self, booster: Booster, request: PredictionRequest) -> PartialPrediction:
        import numpy as np

        orders, predictions = [], []
        for chunk in self._chunks:
            if chunk.part not in request.parts:
                continue
            rows = chunk.below(request.limit)
            if len(rows.X):
                orders.append(rows.order)
                predictions.append(booster.inplace_predict(rows.X, validate_features=False))
        if not orders:
            return np.empty(0, np.uint64), None
        return np.concatenate(orders), np.concatenate(predictions)


@dataclass(frozen=True, eq=False)
class Batches:
    """Chunks for XGBoost, which reads them one after the other, several times.

    Attributes:
        chunks: in any order.
        types: XGBoost's types of the features; None if all are numbers.
        limit: only rows whose order is below it are read.
    """

    chunks: Sequence[Chunk | StoredChunk]
    types: Sequence[str] | None
    limit: int = EVERY_ROW

    def iterator(self, cache: str | None = None, *, release: bool = False) -> DataIter:
        """Create XGBoost's iterator, from which a matrix is built.

        Args:
            cache: prefix of the files that hold the matrix; None: it is in memory.
            release: hold at most one batch in memory, and read each again when it is needed.
        """
        from xgboost import DataIter

        class Iterator(DataIter):
            def __init__(
                self, batches: Iterable[Chunk | StoredChunk], kinds: Mapping[str, Any]
            ) -> None:
                self._batches, self._kinds = batches, kinds
                self.reset()
                super().__init__(cache_prefix=cache, on_host=False, release_data=release)

            def next(self, input_data: Callable[..., Any]) -> bool:
                batch = next(self._left, None)
                if batch is None:
                    return False
                input_data(data=batch.X, label=batch.y, **self._kinds)
                return True

            def reset(self) -> None:
                self._left = iter(self._batches)

        kinds = {} if self.types is None else {"feature_types": list(self.types)}
        return Iterator(self, kinds)

    def __iter__(self) -> Iterator[Chunk | StoredChunk]:
        """Yield the chunks that have rows below the limit."""
        for chunk in self.chunks:
            rows = chunk if self.limit == EVERY_ROW else chunk.below(self.limit)
            if rows.shape[0]:
                yield rows
