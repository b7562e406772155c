"""Points of a search space: drawn at random, or at its corners."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from optibench.search.space import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.search.space import Space

Point = dict[str, Any]


def draw_points(space: Space, n_points: int, seed: int) -> list[Point]:
    """Draw `n_points` points with scikit-learn's ParameterSampler.

    They are without repetition where the space has lists only, then at most all of them.
    """
    from sklearn.model_selection import ParameterSampler

    sampler = ParameterSampler(space, n_iter=n_points, random_state=seed)
    with warnings.catch_warnings():
        # A list-only space smaller than n_points is walked whole; plan=true and n_candidates
        # tell so.
        warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)
        return list(sampler)


def corner_points(space: Space) -> Iterator[Point]:
    """Every value that a list holds, and both ends of every distribution, at least once.

    Each is put on top of the first values of the other keys, which are the first point; so that
    their number is the sum of the choices, and not the product.
    """
    ends = {key: _ends(entry) for key, entry in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    yield first
    for key, values in ends.items():
        for value in values[1:]:
            yield {**first, key: value}


def _ends(entry: list[Any] | Distribution) -> list[Any]:
    if not isinstance(entry, Distribution):
        return entry
    ends = [entry.low, entry.high]
    return [round(end) if entry.integer else float(end) for end in ends]
