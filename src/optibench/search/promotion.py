"""Running successive halving: promotions with or without waiting for whole rungs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from optibench.records import Candidate, CandidateResult, Status
from optibench.search.points import corner_points
from optibench.search.proposals import Proposals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optibench.contracts import SearchFacts
    from optibench.search.resources import Ladder
    from optibench.search.rungs import Bracket, RungEntry
    from optibench.search.space import Space

ASYNCHRONOUS_WINDOW = 4  # short, so that a promotion does not queue behind the whole first rung


class RungProposals(Proposals):
    """Successive halving that promotes from a rung when it has the results of all candidates.

    Brackets do not wait for each other, so that workers have work while one bracket waits.
    """

    def __init__(
        self, ladder: Ladder, space: Space, brackets: Sequence[Bracket], facts: SearchFacts
    ) -> None:
        """Start with the first rungs of all brackets."""
        self.examples = _examples(ladder, space)
        self.total = sum(bracket.total for bracket in brackets)
        self._ladder = ladder
        self._brackets = brackets
        self._facts = facts
        self._pending: dict[int, RungEntry] = {}
        self._n_proposed = 0
        self._promoted: deque[RungEntry] = deque()

    def ask(self, room: int) -> Sequence[Candidate]:
        """Return the next candidates; promotions come before new points."""
        candidates: list[Candidate] = []
        while len(candidates) < room and (entry := self._next_entry()) is not None:
            candidates.append(self._candidate(entry))
        return candidates

    def tell(self, results: Sequence[CandidateResult]) -> None:
        """Record results in their rungs, and queue the promotions that they complete."""
        for result in results:
            entry = self._pending.pop(result.number)
            entry.bracket.record(entry, result, self._cost(result))
            self._queue_promotions(entry)

    def _next_entry(self) -> RungEntry | None:
        if self._promoted:
            return self._promoted.popleft()
        return self._start_point()

    def _start_point(self) -> RungEntry | None:
        starts = (bracket.start_point() for bracket in self._brackets)
        return next((entry for entry in starts if entry is not None), None)

    def _queue_promotions(self, entry: RungEntry) -> None:
        self._promoted.extend(entry.bracket.promote_rung(entry.rung))

    def _candidate(self, entry: RungEntry) -> Candidate:
        number = self._n_proposed
        self._n_proposed += 1
        self._pending[number] = entry
        level = entry.bracket.first_level + entry.rung
        return self._ladder.candidate(number, entry.point, level, entry.continues)

    def _cost(self, result: CandidateResult) -> float:
        if result.status is not Status.FINISHED:
            return float("nan")
        score = result.mean_scores[self._facts.metric]
        return -score if self._facts.greater_is_better else score


class AsynchronousRungProposals(RungProposals):
    """ASHA (Li et al. 2020): a new point starts whenever no candidate can be promoted."""

    window = ASYNCHRONOUS_WINDOW

    def __init__(
        self, ladder: Ladder, space: Space, brackets: Sequence[Bracket], facts: SearchFacts
    ) -> None:
        """Start without candidates."""
        super().__init__(ladder, space, brackets, facts)
        self.total = sum(bracket.max_total for bracket in brackets)

    def _next_entry(self) -> RungEntry | None:
        promotions = (bracket.promote_one() for bracket in self._brackets)
        entry = next((entry for entry in promotions if entry is not None), None)
        return entry or self._start_point()

    def _queue_promotions(self, entry: RungEntry) -> None:
        """Do nothing: promotions are chosen when candidates are asked for."""


def _examples(ladder: Ladder, space: Space) -> list[Candidate]:
    """Return the corners of the space at the smallest and the largest amount of the resource."""
    levels = sorted({0, len(ladder.levels) - 1})
    corners = [(point, level) for point in corner_points(space) for level in levels]
    return [ladder.candidate(i, point, level) for i, (point, level) in enumerate(corners)]
