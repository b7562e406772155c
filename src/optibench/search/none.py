"""search=none: the one candidate that `model.params` describe, fitted without folds."""

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
    """No search; `model.space` and `seed` are not used."""

    name: str = "none"

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> FixedProposals:
        """Propose the fixed hyperparameters alone."""
        del space, facts
        return FixedProposals(params, [{}], uses_folds=False)


PLUGIN = NoSearch
