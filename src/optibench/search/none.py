"""search=none: the one candidate given by `model.params`, fitted without folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.search.proposals import FixedProposals
from optibench.search.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import SearchFacts
    from optibench.records import Params


@dataclass(frozen=True, kw_only=True)
class NoSearch(SearchSettings):
    """No search; `model.space` and `seed` have no effect."""

    name: str = "none"

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> FixedProposals:
        """Return a search whose only candidate has the fixed hyperparameters."""
        del space, facts
        return FixedProposals(params, [{}], uses_folds=False)
