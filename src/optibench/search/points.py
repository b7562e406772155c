"""Points of a search space: random draws and corners."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from optibench.search.space import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optibench.search.space import Space

Point = dict[str, Any]


def draw_points(space: Space, n_points: int, seed: int) -> list[Point]:
    """Return `n_points` points drawn with scikit-learn's ParameterSampler.

    A space that contains only lists is sampled without replacement; all its points are returned
    if it has fewer than `n_points`.
    """
    from sklearn.model_selection import ParameterSampler

    sampler = ParameterSampler(space, n_iter=n_points, random_state=seed)
    with warnings.catch_warnings():
        # The warning that a space of lists has fewer points; plan=true and n_candidates show
        # their number.
        warnings.filterwarnings("ignore", "The total space of parameters", UserWarning)
        return list(sampler)


def corner_points(space: Space) -> Iterator[Point]:
    """Yield points that cover every value of each list and both ends of each distribution.

    The first point has the first value of every key; each other point changes one key of it. The
    number of points therefore grows with the sum of the choices, not with their product.
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
