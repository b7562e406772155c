"""Searches whose fits use all workers, beside those of the engines' own libraries.

    python -m benchmarks.whole_cluster                          every search, two measured rounds
    python -m benchmarks.whole_cluster --searches xgboost --rows CrossValidator optibench/spark

`xgboost`: 6 candidates x 3 folds of 50 trees on 10^6 x 28 rows in Parquet files, beside Spark's
CrossValidator over `SparkXGBClassifier` and a plain loop over `xgboost.dask.train`. `kmeans`: 6
candidates x 3 folds on the same rows, beside the CrossValidator over Spark's KMeans.
`kmeans-pima`: 18 candidates of the report (those without n_init) x 5 folds on 614 rows of Pima,
standardised, where `backend.parallelism=auto` chooses trials. Spark's silhouette is that of
squared distances of all rows, ours of distances of a sample: scores of clusterings do not compare.

Engines are up before. Rounds are interleaved as in `peers`; that of Pima is warmed up.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import cluster_searches as searches
from benchmarks.cluster_searches import ITERATIONS, TREES, ClusterSearch
from benchmarks.grids import make_study
from benchmarks.hosts import Row, run_rounds, table
from benchmarks.tables import LABEL, PART, make_table
from optibench.evaluation.parts import PartPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.engines import Outcome

ROWS, COLUMNS, FILES, FOLDS = 1_000_000, 28, 8, 3
TEST_SIZE = 0.2  # as our program holds out
VALIDATOR, LOOP = "CrossValidator", "xgboost.dask loop"
OURS = {f"optibench/{backend}": backend for backend in ("spark", "dask")}
ROW_NAMES = [VALIDATOR, LOOP, *OURS]
NAMES = ("xgboost", "kmeans", "kmeans-pima")
LIMITS = {
    "xgboost": [("optibench/spark", VALIDATOR, 0.5), ("optibench/dask", LOOP, 0.8)],
    "kmeans": [("optibench/spark", VALIDATOR, 0.5)],
    "kmeans-pima": [("optibench/spark", VALIDATOR, 0.1)],
}
# Of accuracy: each library finds its own quantiles of 10^6 rows, which tells where few trees have
# not yet found that two columns belong together.
CLOSE = 0.01


def xgboost(folder: Path, rows: int) -> ClusterSearch:
    """On the files in `folder`, which are made."""
    make_table(folder, rows, COLUMNS, files=FILES, plan=PartPlan(0, TEST_SIZE, FOLDS))
    ours = (f"dataset.target={LABEL}", f"dataset.drop=[{PART}]", "model.space.subsample=null")
    grid: dict[str, list[Any]] = {"max_depth": [4, 6, 8], "eta": [0.1, 0.3]}
    return _in_files(folder, "xgboost", grid, (*ours, f"+model.params.n_estimators={TREES}"))


def kmeans(folder: Path, rows: int) -> ClusterSearch:
    """On the same files."""
    make_table(folder, rows, COLUMNS, files=FILES, plan=PartPlan(0, TEST_SIZE, FOLDS))
    grid = {"n_clusters": [4, 8, 16], "init": ["random", "k-means++"], "max_iter": [ITERATIONS]}
    ours = (f"dataset.drop=[{PART},{LABEL}]", "dataset.scale=false", "model.space.n_init=[1]")
    return _in_files(folder, "kmeans", grid, ours)


def kmeans_pima(folder: Path, rows: int) -> ClusterSearch:
    """Write the train part of Pima, with its folds, into one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    del rows
    study = make_study("kmeans")
    part = [0] * len(study.X)
    for number, (_, validation) in enumerate(study.folds):
        for row in validation:
            part[row] = number
    columns = {f"x{i}": column for i, column in enumerate(study.X.T)}
    pq.write_table(pa.table({**columns, PART: part}), folder / "pima.parquet")
    grid = {key: study.grid[key] for key in ("n_clusters", "init", "max_iter")}
    ours = ("dataset=pima", "backend.parallelism=auto", "model.space.n_init=[1]")
    return ClusterSearch(folder, "kmeans", grid, len(study.folds), ours)


def _in_files(
    folder: Path, model: str, grid: dict[str, list[Any]], ours: tuple[str, ...]
) -> ClusterSearch:
    files = ("dataset=parquet", f"dataset.path={folder}", "backend.parallelism=data")
    return ClusterSearch(folder, model, grid, FOLDS, (*files, *ours))


def main() -> None:
    """Run what the command line asks for and print the tables."""
    options = _options()
    make = {"xgboost": xgboost, "kmeans": kmeans, "kmeans-pima": kmeans_pima}
    for name in options.searches:
        with tempfile.TemporaryDirectory(prefix="optibench-table-") as folder:
            search = make[name](Path(folder), options.rows_of_table)
            rows = [row for row in _rows(name) if row.name in options.rows]
            make_search = partial(_same, search)
            # The others take minutes, in which all warm up.
            rounds = range(0 if name == "kmeans-pima" else 1, options.rounds + 1)
            outcomes = run_rounds(rows, name, make_search, cores=options.cores, rounds=rounds)
        if name == "xgboost":
            _check(outcomes)
        told = f"{name}, {options.cores} cores, from the files to the winner fitted on all rows"
        print(table(told, outcomes, LIMITS[name]), flush=True)


def _same(search: ClusterSearch) -> ClusterSearch:
    return search


def _rows(name: str) -> list[Row]:
    loop = [Row(LOOP, searches.open_xgboost_loop)] if name == "xgboost" else []
    ours = [Row(row, partial(searches.open_ours, backend)) for row, backend in OURS.items()]
    return [Row(VALIDATOR, searches.open_cross_validator), *loop, *ours]


def _check(outcomes: Mapping[str, list[Outcome]]) -> None:
    """All find the same accuracy of every candidate, but for the cuts of their histograms.

    Raises:
        SystemExit: one does not; a time for a wrong answer is worth nothing.
    """
    (first, expected), *others = ((name, found[0].scores) for name, found in outcomes.items())
    for name, scores in others:
        apart = max(abs(a - b) for a, b in zip(scores, expected, strict=True))
        if apart > CLOSE:
            message = f"{name} found {scores}, {first} found {expected}"
            raise SystemExit(message)
    both = [outcomes[name][0].scores for name in OURS if name in outcomes]
    if any(scores != both[0] for scores in both):
        message = f"Dask and Spark differ: {both}"
        raise SystemExit(message)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.whole_cluster", description=__doc__)
    parser.add_argument("--searches", nargs="+", choices=NAMES, default=NAMES, metavar="SEARCH")
    parser.add_argument("--rows", nargs="+", choices=ROW_NAMES, default=ROW_NAMES, metavar="ROW")
    parser.add_argument("--rounds", type=int, default=2, help="measured")
    parser.add_argument("--rows-of-table", type=int, default=ROWS, help="of xgboost and kmeans")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


if __name__ == "__main__":
    main()
