"""A search under way, and what it is told."""

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
    """What a search is told of the benchmark.

    Attributes:
        metric: that ranks candidates; greater_is_better: which way.
        folds: of the cross-validation.
    """

    metric: str
    greater_is_better: bool
    folds: int


@dataclass(frozen=True)
class Journal:
    """Where a search may write down what it learns, so that an interrupted one goes on.

    Attributes:
        folder: beside the embedded MLflow database; it exists.
        name: the same for runs that ask the same question: configuration and data.
    """

    folder: Path
    name: str


class SearchState(Protocol):
    """A search under way. `search/proposals.py` has a base class with the usual answers."""

    total: int  # how many candidates it will propose at most
    uses_folds: bool  # False: its one candidate is fitted without a search
    window: int | None  # candidates asked for and not yet told, at most; None: any number
    prunes: bool  # `prune` is asked after each fold, and folds run one after the other
    examples: Sequence[Candidate]  # stand for all it may propose in checks before the start

    def open(self, journal: Journal) -> None:
        """Called once before the first `ask`: a search that learns takes up what is written."""

    def ask(self, room: int) -> Sequence[Candidate]:
        """At most `room` new candidates, none where it must hear first or is over."""

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """All trials of a candidate that an interrupted search had evaluated; else empty."""

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """True where the scores of its first folds say that the rest is not worth running."""

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """What became of candidates asked for; KILLED ones were pruned or stopped."""

    def close(self, *, finished: bool) -> None:
        """The search is over; `finished`: by itself, so that there is nothing to go on with."""
