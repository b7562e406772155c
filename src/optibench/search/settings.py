"""The configuration keys of every search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Keys that conf/search/*.yaml may set for every search.

    Attributes:
        seed: seed of the points that the search draws.
        reuse: share fits, scores and matrices between candidates where that changes no score.
        deterministic: record results in the order in which candidates were proposed.
        max_seconds: seconds of search after which no trial starts; None: no limit.
        target: mean score at which the search ends; None: no target.
    """

    name: str
    seed: int = 0
    reuse: bool = True
    deterministic: bool = True
    max_seconds: float | None = None
    target: float | None = None
