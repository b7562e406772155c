"""K-means on a whole Spark cluster, by `pyspark.ml.clustering.KMeans`.

Spark stops when no centre moves by more than `tol`; scikit-learn stops when the squared shifts of
all centres add up to less than `tol` times the variance of the data. `tol` is translated so that
Spark never stops earlier.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pyarrow as pa
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql.functions import col

from optibench.backends.common.distributed_fit import distributed_fit_of
from optibench.backends.spark import jvm
from optibench.backends.spark.partitions import kept_at, persist, reading
from optibench.backends.spark.session import translated
from optibench.backends.spark.task_profiles import TaskProfiles
from optibench.backends.spark.worker_losses import is_loss
from optibench.errors import EngineError, FitError
from optibench.models.kmeans_distributed import DistributedKMeans
from optibench.records import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from optibench.backends.spark.engine import Jobs, SparkEngine
    from optibench.contracts import (
        DistributedFit,
        FitJob,
        PartitionedTable,
        PredictionRequest,
        ReadChunks,
        SharedValue,
        Shares,
        Trainer,
        TrainerRequest,
    )
    from optibench.models.kmeans_distributed import PartialPrediction, Start

# Sizes of the batches of rows between the JVM and Python, and in the JVM's cache. There, an array
# of more than half a heap region (of 1 MiB or more) takes whole contiguous regions (G1).
BATCH_BYTES = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": 4 * 2**20,
    "spark.sql.inMemoryColumnarStorage.batchSize": 2**18,
}
MAX_BATCH_ROWS = 10_000  # Spark's default
SCHEMA = "part int, place long, features array<double>"
INIT = {"k-means++": "k-means||", "random": "random"}


class SparkKMeans:
    """Implements `contracts.Trainer` and `models.kmeans_distributed.Cluster`."""

    def __init__(self, engine: SparkEngine, request: TrainerRequest) -> None:
        """Create a trainer that holds no rows yet."""
        self._engine = engine
        self._distributed_fit = distributed_fit_of(request.model, DistributedKMeans)
        self._setting = request.setting
        self._batch_rows = {
            key: max(1, min(MAX_BATCH_ROWS, size // (8 * request.width)))
            for key, size in BATCH_BYTES.items()
        }
        self._session = SparkSession(engine.context)
        self._profiles = TaskProfiles(engine.context, request.profiler)
        self._table: Any = None
        self._was_lost = False  # a worker, during the current fit
        self._executor_cpu_seconds = 0.0  # on other machines

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """Hold the table as a DataFrame of vectors, at Spark's storage level."""
        read_share = reading(table, self._profiles.around(read), self._engine.before_batch)
        for key, n_rows in self._batch_rows.items():
            self._session.conf.set(key, n_rows)
        max_rows = max(self._batch_rows.values())

        def rows(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                for number in batch.column(0).to_pylist():
                    for chunk in read_share(shares[number]):
                        yield from _batches(chunk, max_rows)

        numbers = self._session.range(0, len(shares), 1, len(shares))
        frame = numbers.mapInArrow(self._profiles.returning_profile(rows), SCHEMA)
        self._table = frame.withColumn("features", array_to_vector(col("features")))
        persist(self._table, kept_at(self._engine.persist, in_files=in_files))
        with (
            self._engine.observed_jobs("read the table"),
            translated("Spark could not read the table"),
        ):
            self._table.count()

    def rows(self, request: PredictionRequest) -> Chunk:
        """Gather the requested rows, sorted by their order."""
        limit = request.limit

        def sampled(chunk: Chunk) -> dict[str, Any]:
            rows = chunk.below(limit)
            return {"place": rows.order.view(np.int64), "features": _lists(rows.X)}

        table = self._each(request, sampled, "place long, features array<double>")
        X = table.column("features").combine_chunks().flatten().to_numpy()
        order = table.column("place").to_numpy().view(np.uint64)
        return Chunk(min(request.parts), X.reshape(len(order), -1), None, order).in_order()

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """Fit one candidate after the other."""
        for fit in self._distributed_fit.fit(job, self._setting, self):
            # Spark retried in this fit what was lost with a worker.
            self._engine.retries.add(int(self._was_lost))
            self._was_lost = False
            yield fit

    def profiles(self) -> list[bytes]:
        """Return the profiles of ended tasks, which read and predict; Spark trains in its JVM."""
        return self._profiles.collected

    def close(self) -> None:
        """Free the table."""
        if self._table is not None:
            self._table.unpersist()

    def lloyd(self, job: FitJob, full: Mapping[str, Any], seed: int) -> Start:
        """Run Lloyd's algorithm once."""
        params = self._engine_params(full, seed, job.spread)
        try:
            with (
                self._engine.observed_jobs("a start of K-means") as ended,
                translated("Spark's K-means failed", FitError),
            ):
                fitted = KMeans(featuresCol="features", **params).fit(self._rows_of(job.train))
                centres = np.array(fitted.clusterCenters())
                summary = fitted.summary
                iterations, cost = int(summary.numIter), float(summary.trainingCost)
        except FitError as error:
            if is_loss(error):  # after all retries of Spark
                raise EngineError(str(error)) from error.__cause__
            raise
        self._count(ended())
        return self._distributed_fit.start(centres, iterations, cost, params)

    def cpu_seconds(self) -> float:
        """Return the CPU time of the JVM and its local executors, plus Spark's count of others."""
        process = jvm.process()
        if process is None:
            msg = "The CPU time of Spark's JVM is not known where spark-submit has started it."
            raise EngineError(msg)
        times = psutil.Process(process.pid).cpu_times()
        return float(times.user + times.system) + self._executor_cpu_seconds

    def _count(self, jobs: Jobs) -> None:
        self._was_lost |= jobs.was_lost
        self._executor_cpu_seconds += jobs.executor_cpu_seconds

    def predict(self, estimator: Any, request: PredictionRequest) -> Sequence[PartialPrediction]:
        """Predict where the rows are."""
        predict_chunk, limit = self._distributed_fit.predict_chunk, request.limit

        def predicted(chunk: Chunk) -> dict[str, Any]:
            order, labels, squared = predict_chunk(chunk, estimator, limit)
            return {"place": order.view(np.int64), "label": labels, "squared": squared}

        found = self._each(request, predicted, "place long, label long, squared double")
        columns = [found.column(name).to_numpy() for name in ("place", "label", "squared")]
        return [(columns[0].view(np.uint64), *columns[1:])]

    def _engine_params(self, full: Mapping[str, Any], seed: int, spread: float) -> dict[str, Any]:
        """By Spark's names."""
        k = full["n_clusters"]
        return {
            "k": k,
            "initMode": INIT[full["init"]],
            "initSteps": self._distributed_fit.rounds,
            "maxIter": full["max_iter"],
            "tol": math.sqrt(full["tol"] * spread / k),
            "seed": seed,
            "distanceMeasure": "euclidean",
            "solver": "row",
            "maxBlockSizeInMB": 0.0,
        }

    def _rows_of(self, parts: Iterable[int]) -> Any:
        return self._table.where(col("part").isin(sorted(parts)))

    def _each(
        self, request: PredictionRequest, function: Callable[[Chunk], dict[str, Any]], schema: str
    ) -> Any:
        """Call a function on batches of the requested rows; return an Arrow table of results."""
        function = self._profiles.around(function)

        def call(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                place, features = batch.column(0).to_numpy(), batch.column(1)
                X = features.flatten().to_numpy().reshape(len(place), -1)
                chunk = Chunk(0, X, None, place.view(np.uint64))
                yield pa.RecordBatch.from_pydict(function(chunk))

        chosen = self._rows_of(request.parts).select("place", vector_to_array(col("features")))
        with (
            self._engine.observed_jobs("query the rows") as ended,
            translated("A Spark job failed"),
        ):
            found = chosen.mapInArrow(self._profiles.returning_profile(call), schema).toArrow()
        self._count(ended())
        return found


def _batches(chunk: Chunk, n_rows: int) -> Iterator[Any]:
    """Yield a chunk as Arrow batches of at most `n_rows` rows."""
    for first in range(0, len(chunk.X), n_rows):
        rows = slice(first, first + n_rows)
        X = chunk.X[rows]
        yield pa.RecordBatch.from_pydict(
            {
                "part": pa.array(np.full(len(X), chunk.part, np.int32)),
                "place": pa.array(chunk.order[rows].view(np.int64)),
                "features": _lists(X),
            }
        )


def _lists(X: Any) -> Any:
    """Return the rows of a matrix as an Arrow column of lists."""
    n_rows, width = X.shape
    starts = pa.array(np.arange(0, (n_rows + 1) * width, width, dtype=np.int32))
    return pa.ListArray.from_arrays(starts, pa.array(np.ascontiguousarray(X).ravel()))


TRAINER: Callable[[SparkEngine, TrainerRequest], Trainer] = SparkKMeans
