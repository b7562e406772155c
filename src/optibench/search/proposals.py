"""The state of a search whose candidates are all known at its start: it asks once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optibench.records import Candidate, CandidateResult, Params

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class FixedProposals:
    """Candidates in the order given; every later `ask` is empty."""

    def __init__(
        self, params: Params, points: Iterable[Mapping[str, Any]], *, uses_folds: bool = True
    ) -> None:
        """Put each point of the space on top of the fixed `params` and number them."""
        self._candidates = [Candidate(i, {**params, **point}) for i, point in enumerate(points)]
        self._asked = False
        self.total = len(self._candidates)
        self.uses_folds = uses_folds

    def ask(self) -> Sequence[Candidate]:
        """All candidates at the first call, none afterwards."""
        candidates = [] if self._asked else self._candidates
        self._asked = True
        return candidates

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Nothing is learned: what is proposed does not depend on results."""
