"""Keeps each row of a comparison alive in its own process and asks them in interleaved rounds."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import tempfile
import traceback
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from benchmarks.engines import Outcome

STOP_SECONDS = 30.0
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Row:
    """One row: its name, and how its engine is opened (see engines.py)."""

    name: str
    open: Callable[..., Any]


class Host:
    """A process that opens one row's engine and runs its search whenever it is asked to."""

    def __init__(self, row: Row, make: Callable[[], Any], cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.row = row
        self._pipe, self._far_end = context.Pipe()
        self._process = context.Process(target=serve, args=(self._far_end, row, make, cores))

    def __enter__(self) -> Self:
        self._process.start()
        self._far_end.close()  # only the process holds it now: where that dies, `recv` ends
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._pipe.send("stop")
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.terminate()

    def search(self) -> Outcome:
        """Run one search there and wait for its outcome."""
        answer: Outcome | str
        try:
            self._pipe.send("search")
            answer = self._pipe.recv()
        except (EOFError, BrokenPipeError):
            answer = "its process ended"
        if isinstance(answer, str):
            message = f"{self.row.name} failed:\n{answer}"
            raise SystemExit(message)
        return answer


def serve(pipe: Connection, row: Row, make: Callable[[], Any], cores: int) -> None:
    """Open the engine in a host process, and answer requests until the last one."""
    # Warnings of four programs would hide the table; what matters is checked: scores and winners.
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"  # workers of Dask and Spark inherit it: one core per fit
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chdir(folder)
        try:
            search = stack.enter_context(row.open(make(), cores))
            while pipe.recv() == "search":
                pipe.send(search())
        except Exception:
            pipe.send(traceback.format_exc())


def run_rounds(
    rows: list[Row], name: str, make: Callable[[], Any], *, cores: int, rounds: range
) -> Mapping[str, list[Outcome]]:
    """Have every row open what `make` makes of a search in its process.

    Ask all rows in turn, one round after the other; number 0 warms up and is dropped.
    """
    outcomes: dict[str, list[Outcome]] = {row.name: [] for row in rows}
    with ExitStack() as stack:
        hosts = [stack.enter_context(Host(row, make, cores)) for row in rows]
        for number in rounds:
            for host in hosts:
                outcome = host.search()
                told = "warm-up" if number == 0 else f"round {number} of {rounds.stop - 1}"
                line = f"{name}  {told}  {host.row.name}  {outcome.seconds:.2f} s"
                print(line, file=sys.stderr, flush=True)
                if number > 0:
                    outcomes[host.row.name].append(outcome)
    return outcomes


def verdict(measured: list[float], limit: float) -> str:
    """Say whether the median keeps a limit, or that the rounds are too few or too noisy to tell.

    From five rounds on by the 90 % confidence interval of the median (order statistics, see
    `scipy.stats.quantile_test`), with fewer by all rounds.
    """
    from scipy.stats import quantile_test

    low, high = quantile_test(measured, p=0.5).confidence_interval(CONFIDENCE)
    low, high = (min(measured), max(measured)) if math.isnan(low + high) else (low, high)
    if high <= limit:
        return "reached"
    if low > limit:
        return "MISSED"
    return f"undecided, the median may be {low:.2f} to {high:.2f}"


def table(
    title: str,
    outcomes: Mapping[str, list[Outcome]],
    limits: list[tuple[str, str, float]],
) -> str:
    """Seconds, ratio to the first row and winner of each row; then the limits.

    `limits`: (row, compared with, at most so many times its time).
    """
    first = next(iter(outcomes.values()))
    lines = [
        f"\n{title}; medians of {len(first)} rounds",
        f"{'':26}{'seconds':>9}{'min':>8}{'max':>8}{'ratio':>8}  best score",
    ]
    for name, found in outcomes.items():
        seconds = [outcome.seconds for outcome in found]
        ratio = median(ratios(found, first))
        lines.append(
            f"{name:26}{median(seconds):9.2f}{min(seconds):8.2f}{max(seconds):8.2f}{ratio:8.2f}"
            f"  {found[0].score:.6f} at {found[0].params}"
        )
    for name, other, limit in limits:
        if name in outcomes and other in outcomes:
            measured = ratios(outcomes[name], outcomes[other])
            told = verdict(measured, limit)
            lines.append(f"{name} / {other}: {median(measured):.2f}, at most {limit:.2f}: {told}")
    return "\n".join(lines)


def ratios(found: list[Outcome], other: list[Outcome]) -> list[float]:
    """One row's time over another's in the same round, for each round."""
    return [a.seconds / b.seconds for a, b in zip(found, other, strict=True)]
