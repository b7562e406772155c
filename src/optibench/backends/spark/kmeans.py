"""K-means on a whole Spark cluster, by `pyspark.ml.clustering.KMeans`.

Spark stops when no centre moves by more than `tol`, scikit-learn when the squared shifts of all
centres add up to less than `tol` times the variance of the data: `tol` is translated so that
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
    from optibench.models.kmeans_distributed import Answer, Start

# Of rows: between the JVM and Python, and in the JVM's cache, where arrays of more than half a
# region of the heap, 1 MiB or more, lie each in regions of their own, side by side (G1).
BYTES_AT_ONCE = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": 4 * 2**20,
    "spark.sql.inMemoryColumnarStorage.batchSize": 2**18,
}
MOST_AT_ONCE = 10_000  # of them: Spark's own number
SCHEMA = "part int, place long, features array<double>"
INIT = {"k-means++": "k-means||", "random": "random"}


class SparkKMeans:
    """Implements `contracts.Trainer`, and what K-means asks of an engine."""

    def __init__(self, engine: SparkEngine, request: TrainerRequest) -> None:
        """Hold nothing yet."""
        self._engine = engine
        self._distributed_fit = distributed_fit_of(request.model, DistributedKMeans)
        self._setting = request.setting
        self._rows_at_once = {
            key: max(1, min(MOST_AT_ONCE, size // (8 * request.width)))
            for key, size in BYTES_AT_ONCE.items()
        }
        self._session = SparkSession(engine.context)
        self._profiles = TaskProfiles(engine.context, request.profiler)
        self._table: Any = None
        self._was_lost = False  # what the fit that is made has needed
        self._used_elsewhere = 0.0  # CPU seconds

    def hold(
        self,
        table: SharedValue[PartitionedTable],
        shares: Shares,
        read: ReadChunks,
        *,
        in_files: bool,
    ) -> None:
        """As a DataFrame of vectors, which Spark keeps where its storage level says."""
        read_share = reading(table, self._profiles.around(read), self._engine.before_batch)
        for key, n_rows in self._rows_at_once.items():
            self._session.conf.set(key, n_rows)
        most = max(self._rows_at_once.values())

        def rows(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                for number in batch.column(0).to_pylist():
                    for chunk in read_share(shares[number]):
                        yield from _batches(chunk, most)

        numbers = self._session.range(0, len(shares), 1, len(shares))
        frame = numbers.mapInArrow(self._profiles.told_by(rows), SCHEMA)
        self._table = frame.withColumn("features", array_to_vector(col("features")))
        persist(self._table, kept_at(self._engine.persist, in_files=in_files))
        with self._engine.watched("read the table"), translated("Spark could not read the table"):
            self._table.count()

    def rows(self, ask: PredictionRequest) -> Chunk:
        """Gathered, by their order."""
        limit = ask.limit

        def sampled(chunk: Chunk) -> dict[str, Any]:
            rows = chunk.below(limit)
            return {"place": rows.order.view(np.int64), "features": _lists(rows.X)}

        found = self._each(ask, sampled, "place long, features array<double>")
        X = found.column("features").combine_chunks().flatten().to_numpy()
        order = found.column("place").to_numpy().view(np.uint64)
        return Chunk(min(ask.parts), X.reshape(len(order), -1), None, order).in_order()

    def fit(self, job: FitJob) -> Iterator[DistributedFit]:
        """One candidate after the other."""
        for fit in self._distributed_fit.fit(job, self._setting, self):
            # What went with a worker Spark has run again in this fit.
            self._engine.again.add(int(self._was_lost))
            self._was_lost = False
            yield fit

    def profiles(self) -> list[bytes]:
        """Of the tasks that have ended: reading and answering, Spark trains in its JVM."""
        return self._profiles.collected

    def close(self) -> None:
        """Let go of the table."""
        if self._table is not None:
            self._table.unpersist()

    def lloyd(self, job: FitJob, full: Mapping[str, Any], seed: int) -> Start:
        """One start."""
        told = self._told(full, seed, job.spread)
        try:
            with (
                self._engine.watched("a start of K-means") as ended,
                translated("Spark's K-means failed", FitError),
            ):
                fitted = KMeans(featuresCol="features", **told).fit(self._of(job.train))
                centres = np.array(fitted.clusterCenters())
                summary = fitted.summary
                iterations, cost = int(summary.numIter), float(summary.trainingCost)
        except FitError as error:
            if is_loss(error):  # again and again, for all that Spark has tried
                raise EngineError(str(error)) from error.__cause__
            raise
        self._count(ended())
        return self._distributed_fit.start(centres, iterations, cost, told)

    def cpu_seconds(self) -> float:
        """Of the JVM, which holds the executors of a local session; of others by Spark's count."""
        times = psutil.Process(self._engine.context._gateway.proc.pid).cpu_times()
        return float(times.user + times.system) + self._used_elsewhere

    def _count(self, jobs: Jobs) -> None:
        self._was_lost |= jobs.was_lost
        self._used_elsewhere += jobs.executor_cpu_seconds

    def ask(self, estimator: Any, ask: PredictionRequest) -> Sequence[Answer]:
        """Where the rows are."""
        answer, limit = self._distributed_fit.answer, ask.limit

        def asked(chunk: Chunk) -> dict[str, Any]:
            order, labels, squared = answer(chunk, estimator, limit)
            return {"place": order.view(np.int64), "label": labels, "squared": squared}

        found = self._each(ask, asked, "place long, label long, squared double")
        columns = [found.column(name).to_numpy() for name in ("place", "label", "squared")]
        return [(columns[0].view(np.uint64), *columns[1:])]

    def _told(self, full: Mapping[str, Any], seed: int, spread: float) -> dict[str, Any]:
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

    def _of(self, parts: Iterable[int]) -> Any:
        return self._table.where(col("part").isin(sorted(parts)))

    def _each(
        self, ask: PredictionRequest, function: Callable[[Chunk], dict[str, Any]], schema: str
    ) -> Any:
        """Call a function on the rows of an ask, some at a time; answers as one Arrow table."""
        function = self._profiles.around(function)

        def call(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                place, features = batch.column(0).to_numpy(), batch.column(1)
                X = features.flatten().to_numpy().reshape(len(place), -1)
                chunk = Chunk(0, X, None, place.view(np.uint64))
                yield pa.RecordBatch.from_pydict(function(chunk))

        chosen = self._of(ask.parts).select("place", vector_to_array(col("features")))
        with self._engine.watched("ask the rows") as ended, translated("A Spark job failed"):
            found = chosen.mapInArrow(self._profiles.told_by(call), schema).toArrow()
        self._count(ended())
        return found


def _batches(chunk: Chunk, n_rows: int) -> Iterator[Any]:
    """A chunk as Arrow has it, so many rows at a time."""
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
    """The rows of a matrix as an Arrow column of lists."""
    n_rows, width = X.shape
    starts = pa.array(np.arange(0, (n_rows + 1) * width, width, dtype=np.int32))
    return pa.ListArray.from_arrays(starts, pa.array(np.ascontiguousarray(X).ravel()))


TRAINER: Callable[[SparkEngine, TrainerRequest], Trainer] = SparkKMeans
