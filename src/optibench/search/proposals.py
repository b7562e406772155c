"""The base class of running searches, and the search with a fixed list of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.records import Candidate, CandidateResult, Params, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optibench.contracts import Journal


class Proposals:
    """Default methods of a `SearchState`, which stores, recalls, prunes and learns nothing."""

    total: int
    examples: Sequence[Candidate]
    uses_folds = True
    window: int | None = None
    prunes = False

    def open(self, journal: Journal) -> None:
        """Do nothing, because nothing is stored."""

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Return no trials, because none are stored."""
        del candidate
        return ()

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Return False: every candidate is evaluated on all folds."""
        del candidate, scores
        return False

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Do nothing, because proposals do not depend on results."""

    def close(self, *, finished: bool) -> None:
        """Do nothing, because nothing is open."""


class FixedProposals(Proposals):
    """Candidates in a given order."""

    def __init__(
        self, params: Params, points: Iterable[Mapping[str, Any]], *, uses_folds: bool = True
    ) -> None:
        """Create one candidate per point: `params` updated with the point."""
        self.examples = [Candidate(i, {**params, **point}) for i, point in enumerate(points)]
        self.total = len(self.examples)
        self.uses_folds = uses_folds
        self._n_proposed = 0

    def ask(self, room: int) -> Sequence[Candidate]:
        """Return the next candidates."""
        candidates = self.examples[self._n_proposed : self._n_proposed + room]
        self._n_proposed += len(candidates)
        return candidates
