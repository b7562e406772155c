"""What a row costs, from 10^4 to 10^7 of them, on each engine.

    python -m benchmarks.rows                                    both models, all engines and sizes
    python -m benchmarks.rows --models kmeans --sizes 10000 100000

Each line is one run of the program without a search on a table of 28 columns in Parquet files: on
scikit-learn one fit in one place (all cores are its threads), on Dask and Spark a fit on all
workers. `fit` is the fit of the winner; `all` is what comes before it, too, but for the engine's
start: reading, splitting, scaling, dealing out. Runs are interleaved by engine; medians of the
rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.tables import LABEL, make_table

SIZES = [10**4, 10**5, 10**6, 10**7]
COLUMNS, FILES = 28, 8
ENGINES = {
    "sklearn": ["backend=sklearn", "backend.workers=1", "backend.threads_per_trial=2"],
    "dask": ["backend=dask", "backend.parallelism=data"],
    "spark": ["backend=spark", "backend.parallelism=data", "+backend.conf.spark.driver.memory=4g"],
}
MODELS = {
    "xgboost": [
        "model=xgboost",
        f"dataset.target={LABEL}",
        "+model.params.n_estimators=20",
        "+model.params.max_depth=6",
    ],
    "kmeans": [
        "model=kmeans",
        f"dataset.drop=[{LABEL}]",
        "+model.params.n_clusters=8",
        "+model.params.init=random",
        "+model.params.n_init=1",
        "+model.params.max_iter=10",
        "+model.params.tol=0.0",
    ],
}
ALL = ("load", "split", "search", "fit")
PROGRAM = """
import json, sys
import optibench
if __name__ == "__main__":
    print(json.dumps(optibench.run(sys.argv[1:]).metrics))
"""


def run(model: str, engine: str, folder: Path) -> tuple[float, float]:
    """Seconds of the fit, and of all up to its end."""
    words = [
        *(*MODELS[model], *ENGINES[engine], "dataset=parquet", f"dataset.path={folder}"),
        *("search=none", "evaluation.default_fit=false", "profiling=off", "progress=false"),
        "evaluation.silhouette_sample=2000",
    ]
    with tempfile.TemporaryDirectory(prefix="optibench-rows-") as place:
        program = Path(place) / "once.py"
        program.write_text(PROGRAM)
        told = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, program, *words], cwd=place, check=True, stdout=subprocess.PIPE
        )
    metrics = json.loads(told.stdout.splitlines()[-1])
    return metrics["fit_seconds"], sum(metrics[f"{phase}_seconds"] for phase in ALL)


def main() -> None:
    """Measure and print a table for each model."""
    parser = argparse.ArgumentParser(prog="benchmarks.rows", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    told = {(model, size): "" for model in options.models for size in options.sizes}
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="optibench-table-") as folder:
            make_table(Path(folder), size, COLUMNS, files=FILES)
            for model in options.models:
                rounds = [
                    [run(model, engine, Path(folder)) for engine in options.engines]
                    for _ in range(options.rounds)
                ]
                for place in range(len(options.engines)):
                    fit, whole = (median(r[place][i] for r in rounds) for i in range(2))
                    told[model, size] += (
                        f"{fit:9.2f}{fit / size * 1e6:8.2f}{whole:9.2f}{whole / size * 1e6:8.2f}"
                    )
                print(model, size, told[model, size], file=sys.stderr, flush=True)
    for model in options.models:
        print(f"\n{model}, {COLUMNS} columns: seconds, and microseconds for each row")
        print(f"{'':10}" + "".join(f"{engine:>34}" for engine in options.engines))
        print(
            f"{'rows':>10}" + f"{'fit':>9}{'/row':>8}{'all':>9}{'/row':>8}" * len(options.engines)
        )
        for size in options.sizes:
            print(f"{size:10,}{told[model, size]}")


if __name__ == "__main__":
    main()
