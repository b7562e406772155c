"""The keys that every search has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What conf/search/*.yaml may say for every search.

    Attributes:
        seed: of what the search draws.
        reuse: share fits, scores and matrices between candidates where that changes no score.
        deterministic: tell results in the order in which candidates were asked for.
        max_seconds: nothing new is begun after so many seconds of search; None: no limit.
        target: a mean score at which the search ends; None: none.
    """

    name: str
    seed: int = 0
    reuse: bool = True
    deterministic: bool = True
    max_seconds: float | None = None
    target: float | None = None
