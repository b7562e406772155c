"""A search in progress, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from optibench.records import (
        Candidate,
        CandidateResult,
        Trial,
    )


@dataclass(frozen=True)
class SearchFacts:
    """What a search knows about the benchmark.

    Attributes:
        metric: ranks candidates.
        greater_is_better: the direction of the metric.
        folds: number of folds of the cross-validation.
    """

    metric: str
    greater_is_better: bool
    folds: int


@dataclass(frozen=True)
class Journal:
    """Where a search records what it learns, so that an interrupted search can continue.

    Attributes:
        folder: an existing folder next to the embedded MLflow database.
        name: equal for runs with the same configuration and data.
    """

    folder: Path
    name: str


class SearchState(Protocol):
    """A search in progress. `search/proposals.py` has a base class with the usual answers."""

    total: int  # maximum number of candidates that it proposes
    uses_folds: bool  # False: its one candidate is fitted without a search
    window: int | None  # maximum number of candidates without a result; None: any number
    prunes: bool  # `prune` is called after each fold, and folds run one after the other
    examples: Sequence[Candidate]  # stand for all possible candidates in checks before the start

    def open(self, journal: Journal) -> None:
        """Take up what a journal holds; called once before the first `ask`."""

    def ask(self, room: int) -> Sequence[Candidate]:
        """Return at most `room` new candidates; none if it needs results first or is over."""

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Return all trials of a candidate that an interrupted search evaluated, else none."""

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Return True if the scores of the first folds make the remaining folds superfluous."""

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Receive the results of candidates; KILLED ones were pruned or stopped."""

    def close(self, *, finished: bool) -> None:
        """End the search; `finished`: it ended by itself, so that its journal is not needed."""
