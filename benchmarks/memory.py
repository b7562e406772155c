"""The memory of a whole run beside its table and one plain fit, on a table where these matter.

    python -m benchmarks.memory                         all backends
    python -m benchmarks.memory --features 8 --rows 4000000     a narrow table

To reach: the peak of the process tree, less what it takes without any table, is at most 1.3 x the
table + workers x the private peak of one plain fit, taken alike. What it takes without any table
(interpreters with their libraries, the JVM) is the peak of the same run on a table of a few rows.
The private peak of one plain fit is that of a process that maps the table, cuts a fold's rows, and
fits and predicts with scikit-learn's or XGBoost's own API, less the same on a few rows.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import tempfile
from typing import Any

import numpy as np

BACKENDS = ["sklearn", "dask", "spark"]
FEATURES, FEW_ROWS, ROWS = 32, 2_000, 1_000_000
WORKERS = 2
TABLE_SHARE = 1.3
MIB = 2**20
MODELS = {
    "kmeans": [
        "model=kmeans",
        "model.space.init=[random]",
        "model.space.n_clusters=[3,4]",
        "model.space.n_init=[1]",
        "model.space.max_iter=[4]",
        "evaluation.silhouette_sample=500",
    ],
    "xgboost": [
        "model=xgboost",
        "model.params.n_estimators=5",
        "model.space.max_depth=[3,4]",
        "model.space.eta=[0.3]",
        "model.space.subsample=[1.0]",
    ],
}


def run_peak(model: str, backend: str, rows: int, features: int) -> float:
    """Return the peak memory of a run's whole process tree, in bytes."""
    import optibench

    words = [
        *MODELS[model],
        f"backend={backend}",
        f"backend.workers={WORKERS}",
        "dataset=classification",
        f"dataset.n_samples={rows}",
        f"dataset.n_features={features}",
        "evaluation.folds=5",
        "profiling=off",
        "progress=false",
        "tracking.children=false",
    ]
    metrics = optibench.run(words).metrics
    return max(metrics[f"{phase}_peak_memory_bytes"] for phase in ("search", "fit", "score"))


def plain_fit(model: str, shape: tuple[int, int], folder: str, answer: Any) -> None:
    """Fit and predict once on a fold of a mapped train part; tell the private peak, in bytes."""
    from pathlib import Path

    rows, features = shape
    path = Path(folder) / f"{rows}.npy"
    n_train = rows * 4 // 5
    if not path.exists():
        rng = np.random.default_rng(0)
        np.save(path, rng.normal(size=(n_train, features)))
    table = np.load(path, mmap_mode="r")
    order = np.random.default_rng(1).permutation(n_train)
    train, check = np.sort(order[n_train // 5 :]), np.sort(order[: n_train // 5])
    X_train, X_check = np.asarray(table[train]), np.asarray(table[check])
    if model == "kmeans":
        from sklearn.cluster import KMeans

        KMeans(4, init="random", n_init=1, max_iter=4, random_state=0).fit(X_train).predict(
            X_check
        )
    else:
        from xgboost import XGBClassifier

        y = (X_train[:, 0] > 0).astype(int)
        XGBClassifier(n_estimators=5, n_jobs=1).fit(X_train, y).predict_proba(X_check)
    del table
    answer.put(_anonymous_peak())


def _anonymous_peak() -> float:
    """Return the peak of this process's anonymous resident memory, in bytes."""
    from pathlib import Path

    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    peak, mapped = (int(fields[key].split()[0]) * 1024 for key in ("VmHWM", "RssFile"))
    return float(peak - mapped)


def plain_peak(model: str, shape: tuple[int, int], folder: str) -> float:
    """`plain_fit` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    for _ in range(2):  # the first makes the file
        process = context.Process(target=plain_fit, args=(model, shape, folder, answer))
        process.start()
        peak = answer.get()
        process.join()
    return float(peak)


def main() -> None:
    """Measure and print one line per model and backend."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory", description=__doc__)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--features", type=int, default=FEATURES)
    options = parser.parse_args()
    many, few = ((rows, options.features) for rows in (options.rows, FEW_ROWS))
    table = options.rows * options.features * 8
    print(f"table {table / MIB:.0f} MiB, {WORKERS} workers; MiB on top of a run without rows")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for model in MODELS:
            fit = plain_peak(model, many, folder) - plain_peak(model, few, folder)
            limit = TABLE_SHARE * table + WORKERS * fit
            for backend in options.backends:
                peak = run_peak(model, backend, *many) - run_peak(model, backend, *few)
                told = "reached" if peak <= limit else "MISSED"
                print(
                    f"{model:8} {backend:8} peak {peak / MIB:6.0f}, plain fit {fit / MIB:5.0f}, "
                    f"limit {limit / MIB:6.0f}: {told}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
