"""What measuring costs: the sampler in percent of a core, the profiler in percent of the work.

    python benchmarks/sampling_cost.py [--children 6] [--seconds 8] [--repeats 7]

Both are measured against the same work without them, in turns, so that a busy machine hurts both
sides alike; medians and ratios are printed.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from optibench.measure.clock.phases import Recorder
from optibench.measure.processes.sampler import INTERVAL_SECONDS
from optibench.measure.profiles.trial_profiles import TrialProfiler

if TYPE_CHECKING:
    from collections.abc import Callable

# A worker as the engines start them: numpy, scikit-learn, pandas and XGBoost in memory.
IMPORTS = "import time, numpy, pandas, sklearn.cluster, xgboost\n"
CHILD = IMPORTS + "print(1, flush=True)\ntime.sleep(3600)\n"
LIMIT_PERCENT = 1.5
TRIALS = 25


def main() -> None:
    """Measure both costs and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=6, help="processes beside the driver")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one measurement")
    parser.add_argument("--repeats", type=int, default=7, help="interleaved pairs")
    options = parser.parse_args()
    measure_sampler(options.children, options.seconds, options.repeats)
    for name, work in trial_works().items():
        measure_profiler(name, work, options.repeats)


def measure_sampler(children: int, seconds: float, repeats: int) -> None:
    """CPU seconds of a sleeping driver with and without the sampler, over idle children."""
    with ExitStack() as stack:
        for _ in range(children):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)  # noqa: S603
            )
            stack.callback(process.kill)
            if process.stdout is not None:
                process.stdout.readline()
        with_sampler, without = [], []
        for _ in range(max(1, repeats // 2)):
            without.append(_cpu_percent_of_sleep(seconds, sample=False))
            with_sampler.append(_cpu_percent_of_sleep(seconds, sample=True))
    cost = median(with_sampler) - median(without)
    verdict = "within" if cost < LIMIT_PERCENT else "ABOVE"
    print(
        f"sampler, {children + 1} processes, every {INTERVAL_SECONDS} s: {cost:.2f} % of one core "
        f"({verdict} {LIMIT_PERCENT} %)"
    )


def _cpu_percent_of_sleep(seconds: float, *, sample: bool) -> float:
    before = time.process_time()
    if sample:
        with Recorder(time.perf_counter()):
            time.sleep(seconds)
    else:
        time.sleep(seconds)
    return 100 * (time.process_time() - before) / seconds


def measure_profiler(name: str, work: Callable[[], None], repeats: int) -> None:
    """CPU seconds of the same trials without, with some and with all of them profiled."""
    profilers = {
        "off": TrialProfiler(enabled=False),
        "as in a run": TrialProfiler(),
        "every trial": TrialProfiler(cost_share=math.inf),
    }
    seconds: dict[str, list[float]] = {mode: [] for mode in profilers}
    work()  # warm
    for number in range(repeats):
        modes = list(profilers)
        for mode in modes[number % 3 :] + modes[: number % 3]:
            begin = time.thread_time()
            for _ in range(TRIALS):
                with profilers[mode]:
                    work()
            seconds[mode].append((time.thread_time() - begin) / TRIALS)
    off = median(seconds["off"])
    ratios = [f"{mode} {median(values) / off:.3f}" for mode, values in seconds.items()]
    print(f"profiler, {name}, {off * 1e3:.1f} ms a trial: {', '.join(ratios)}")


def trial_works() -> dict[str, Callable[[], None]]:
    """Trials of the report's two grids, on a table of Pima's size."""
    from sklearn.cluster import KMeans
    from sklearn.datasets import make_classification
    from sklearn.metrics import accuracy_score, silhouette_score
    from threadpoolctl import threadpool_limits
    from xgboost import XGBClassifier

    features, classes = make_classification(614, 8, random_state=0)

    threadpool_limits(1)

    def kmeans() -> None:
        labels = KMeans(5, n_init=20, random_state=0).fit_predict(features)
        silhouette_score(features, labels)

    def xgboost() -> None:
        estimator = XGBClassifier(max_depth=4, n_jobs=1, random_state=0).fit(features, classes)
        accuracy_score(classes, estimator.predict(features))

    return {"K-means": kmeans, "XGBoost": xgboost}


if __name__ == "__main__":
    main()
