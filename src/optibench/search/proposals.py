"""What searches have in common while they run, and the one whose candidates are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.records import Candidate, CandidateResult, Params, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optibench.contracts import Journal


class Proposals:
    """The usual answers of a `SearchState`: nothing is written, recalled, pruned or learned."""

    total: int
    examples: Sequence[Candidate]
    uses_folds = True
    window: int | None = None
    prunes = False

    def open(self, journal: Journal) -> None:
        """Nothing is written down."""

    def recall(self, candidate: Candidate) -> Sequence[Trial]:
        """Nothing is known from before."""
        del candidate
        return ()

    def prune(self, candidate: Candidate, scores: Sequence[float]) -> bool:
        """Every candidate is evaluated on all folds."""
        del candidate, scores
        return False

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Nothing is learned: what is proposed does not depend on results."""

    def close(self, *, finished: bool) -> None:
        """Nothing is open."""


class FixedProposals(Proposals):
    """Candidates in the order given."""

    def __init__(
        self, params: Params, points: Iterable[Mapping[str, Any]], *, uses_folds: bool = True
    ) -> None:
        """Put each point of the space on top of the fixed `params` and number them."""
        self.examples = [Candidate(i, {**params, **point}) for i, point in enumerate(points)]
        self.total = len(self.examples)
        self.uses_folds = uses_folds
        self._n_proposed = 0

    def ask(self, room: int) -> Sequence[Candidate]:
        """The next candidates."""
        candidates = self.examples[self._n_proposed : self._n_proposed + room]
        self._n_proposed += len(candidates)
        return candidates
