"""Show progress on stderr: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from optibench.records import Trial

LINE_SECONDS = 5.0


class Progress:
    """Shows the trials done, the best score so far and the time left.

    Args:
        total: number of trials to expect; it shows nothing if there are none.
        metric: the score that is shown.
        greater_is_better: whether the best score is the highest.
        enabled: False shows nothing.
    """

    def __init__(self, total: int, metric: str, *, greater_is_better: bool, enabled: bool) -> None:
        self._total = total
        self._metric = metric
        self._sign = 1.0 if greater_is_better else -1.0
        self._done = 0
        self._failed = 0
        self._scores: dict[tuple[float, int], list[float]] = {}  # by budget and candidate
        self._begin = self._last_line = time.perf_counter()
        self._enabled = enabled and total > 0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._enabled and sys.stderr.isatty():
            self._bar = _make_bar()
            self._task = self._bar.add_task("trials", total=self._total, best="")
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the bar as it is, or print a last line."""
        if self._bar is not None:
            self._bar.stop()
        elif self._enabled:
            self._line()

    def advance(self, trials: Sequence[Trial], budget_of: Callable[[int], float]) -> None:
        """Count finished trials.

        Args:
            trials: those that have just finished.
            budget_of: returns a candidate's share of the resource, by its number.
        """
        if not self._enabled:
            return
        for trial in trials:
            self._done += 1
            self._failed += trial.error is not None
            score = trial.scores.get(self._metric, float("nan"))
            key = (budget_of(trial.candidate), trial.candidate)
            self._scores.setdefault(key, []).append(score)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, best=self._best())
        elif time.perf_counter() - self._last_line > LINE_SECONDS:
            self._last_line = time.perf_counter()
            self._line()

    def _best(self) -> str:
        """Return the best score among the candidates with the largest budget, then most folds."""
        furthest = {
            (budget, len(scores), self._sign * sum(scores) / len(scores))
            for (budget, _), scores in self._scores.items()
            if math.isfinite(sum(scores))
        }
        text = f"best {self._metric} {self._sign * max(furthest)[2]:.4f}" if furthest else ""
        return f"{text}  {self._failed} failed" if self._failed else text

    def _line(self) -> None:
        elapsed = time.perf_counter() - self._begin
        left = elapsed / self._done * (self._total - self._done) if self._done else float("nan")
        done = f"trials {self._done}/{self._total}"
        text = f"{done}  {elapsed:.1f} s, {left:.0f} s left  {self._best()}"
        print(text.rstrip(), file=sys.stderr, flush=True)


def _make_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[best]}"),
        console=Console(stderr=True),
        refresh_per_second=4,  # drawing takes CPU time from the workers
    )
