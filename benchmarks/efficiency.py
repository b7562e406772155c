"""The share of cores x time that a search of 20 s of work or more spends inside fit and score.

python -m benchmarks.efficiency                     all backends, three rounds
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from statistics import median

from benchmarks.hosts import verdict

AT_LEAST = 0.95
BACKENDS = ["sklearn", "dask", "spark"]
TREES = ["model=xgboost", "dataset=classification", "dataset.n_features=28"]
CLUSTERS = [
    "model=kmeans",
    "dataset=blobs",
    "dataset.n_samples=25000",
    "dataset.n_features=16",
    "dataset.centers=12",
    "dataset.cluster_std=4.0",
    "evaluation.silhouette_sample=2000",
]
# Each model twice: a search of about 20 to 40 core-seconds, and one of about three times as much.
SEARCHES = {
    "xgboost": [*TREES, "dataset.n_samples=10000"],
    "kmeans": CLUSTERS,
    "xgboost-long": [*TREES, "dataset.n_samples=30000"],
    "kmeans-long": [*CLUSTERS, "model.space.n_clusters=[2,3,4,5,6,7,8]"],
}


def main() -> None:
    """Run every search on every backend, interleaved, and print efficiencies."""
    import optibench

    parser = argparse.ArgumentParser(prog="benchmarks.efficiency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--searches", nargs="+", choices=[*SEARCHES], default=[*SEARCHES])
    options = parser.parse_args()
    quiet = ["profiling=off", "progress=false", "tracking.children=false"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in options.searches:
            words = SEARCHES[name]
            found: dict[str, list[tuple[float, float]]] = {b: [] for b in options.backends}
            for number in range(options.rounds):
                for backend in options.backends:
                    metrics = optibench.run([*words, f"backend={backend}", *quiet]).metrics
                    work = metrics["search_efficiency"] * 2 * metrics["search_seconds"]
                    found[backend].append((metrics["search_efficiency"], work))
                    told = f"{name}  round {number + 1}  {backend}  {found[backend][-1][0]:.3f}"
                    print(told, file=sys.stderr, flush=True)
            print(f"\n{name}: search_efficiency, median of {options.rounds} rounds")
            for backend, rows in found.items():
                shares, works = zip(*rows, strict=True)
                told = verdict([1 - share for share in shares], 1 - AT_LEAST)
                print(
                    f"  {backend:8} {median(shares):.3f} (of {median(works):.0f} core-seconds of "
                    f"work), lost at most {1 - AT_LEAST:.2f}: {told}"
                )


if __name__ == "__main__":
    main()
