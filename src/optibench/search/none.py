"""search=none: the one candidate that `model.params` describe, fitted without folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.search.proposals import FixedProposals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.records import Params


@dataclass(frozen=True)
class NoSearch:
    """No search; `model.space` and `seed` are not used."""

    name: str = "none"
    seed: int = 0

    def start(self, params: Params, space: Mapping[str, Any]) -> FixedProposals:
        """Propose the fixed hyperparameters alone."""
        del space
        return FixedProposals(params, [{}], uses_folds=False)


PLUGIN = NoSearch
