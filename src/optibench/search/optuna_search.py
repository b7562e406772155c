"""The start of a search by one of Optuna's samplers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.search.optuna_settings import OptunaSettings
from optibench.search.optuna_state import OptunaProposals
from optibench.search.space import parse_space

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.contracts import SearchFacts
    from optibench.records import Params


@dataclass(frozen=True, kw_only=True)
class OptunaSearch(OptunaSettings):
    """Base class of the searches by Optuna's samplers: each adds its `sampler`."""

    def start(
        self, params: Params, space: Mapping[str, Any], facts: SearchFacts
    ) -> OptunaProposals:
        """Return a search without candidates.

        Raises:
            ConfigError: the space is empty or contains a value that Optuna does not accept, a
                setting is not allowed, or a library is missing.
        """
        self.check()
        return OptunaProposals(self, params, parse_space(space), facts)
