"""What sharing a quantised matrix can save at most: the parts of an XGBoost trial, in CPU time.

    python -m benchmarks.boosting --grids xgboost-50k --rounds 3

For each candidate of the grid, on the first fold, with one thread: the trial as GridSearchCV runs
it (fit, predict, accuracy), and beside it the rounds of boosting alone, on a matrix that is there
already, with one prediction. No search that grows the same trees can be below the ratio of the
two, however well it keeps its workers busy.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits
from xgboost import Booster, QuantileDMatrix

from benchmarks.grids import make_study
from optibench.models.xgboost_library import boost

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.grids import Study

GRIDS = ["xgboost", "xgboost-50k"]


def main() -> None:
    """Print the CPU seconds of each part and the ratio."""
    parser = argparse.ArgumentParser(prog="benchmarks.boosting", description=__doc__)
    parser.add_argument("--grids", nargs="+", choices=GRIDS, default=GRIDS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with threadpool_limits(1):
        for name in options.grids:
            print(_table(make_study(name), options.rounds), flush=True)


def _table(study: Study, rounds: int) -> str:
    parts: dict[str, list[float]] = {"whole trial": [], "quantising": [], "boosting": []}
    for _ in range(rounds):
        for params in ParameterGrid(study.grid):
            for part, seconds in _trial(study, params).items():
                parts[part].append(seconds)
    ratios = [a / b for a, b in zip(parts["boosting"], parts["whole trial"], strict=True)]
    lines = [f"{study.name}: CPU seconds of a trial, medians of {len(ratios)}"]
    lines += [f"  {part:12}{median(seconds):8.4f}" for part, seconds in parts.items()]
    return "\n".join([*lines, f"  boosting / whole trial: {median(ratios):.2f}"])


def _trial(study: Study, params: dict[str, Any]) -> dict[str, float]:
    train, check = study.folds[0]
    assert study.y is not None  # noqa: S101 - a grid of XGBoost has classes
    X, y, X_check, y_check = study.X[train], study.y[train], study.X[check], study.y[check]
    estimator = clone(study.estimator).set_params(**params)

    def whole() -> None:
        study.score(estimator.fit(X, y), X_check, y_check)

    def quantise() -> None:
        QuantileDMatrix(X, label=y, nthread=1)

    matrix = QuantileDMatrix(X, label=y, nthread=1)
    settings = estimator.get_xgb_params()
    booster = Booster(settings, [matrix])

    def grow() -> None:
        boost(booster, matrix, range(100))
        booster.inplace_predict(X_check)

    return {
        "whole trial": _cpu_seconds(whole),
        "quantising": _cpu_seconds(quantise),
        "boosting": _cpu_seconds(grow),
    }


def _cpu_seconds(function: Callable[[], None]) -> float:
    begin = time.process_time()
    function()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
