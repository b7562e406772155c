"""The common settings of the searches over rungs, halving and Hyperband."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.search.promotion import AsynchronousRungProposals, RungProposals
from optibench.search.resources import ROWS, Ladder, Resource
from optibench.search.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optibench.contracts import SearchFacts
    from optibench.records import Params
    from optibench.search.rungs import Bracket
    from optibench.search.space import Space


@dataclass(frozen=True, kw_only=True)
class RungSettings(SearchSettings):
    """Settings of a search in which candidates get more of a resource from rung to rung.

    Attributes:
        factor: one in `factor` candidates is promoted, with `factor` times the resource.
        resource: "rows", or an integer hyperparameter such as n_estimators.
        min_resource: the smallest amount; None: max_resource / factor**3, so four levels.
        max_resource: the largest amount; None: all rows, or `model.params.<resource>`.
    """

    factor: int = 3
    resource: str = ROWS
    min_resource: float | None = None
    max_resource: float | None = None

    def ladder(self, params: Params, space: Mapping[str, Any]) -> Ladder:
        """Return the levels of the resource.

        Raises:
            ConfigError: a setting is not allowed.
        """
        resource = Resource(self.resource, self.min_resource, self.max_resource, self.factor)
        return resource.ladder(params, space)

    def proposals(
        self, ladder: Ladder, space: Space, brackets: Sequence[Bracket], facts: SearchFacts
    ) -> RungProposals:
        """Return the search over `brackets`; with `deterministic` it waits for whole rungs."""
        state = RungProposals if self.deterministic else AsynchronousRungProposals
        return state(ladder, space, brackets, facts)
