"""The expected cost of units, learned from finished ones."""

from __future__ import annotations

import math
from collections import defaultdict
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optibench.records import Unit

RIDGE = 0.1  # shrinks weights that rest on few observations; features move log seconds by 0-10
SHORTEST_SECONDS = 1e-4
MAX_EQUATIONS = 500


class CostModel:
    """Expected seconds of units.

    A unit is expected to cost as much as the same candidates did on other folds. For new
    candidates, a ridge regression of log seconds on the hyperparameters (the logarithm of
    numbers, an indicator for each other value) identifies at least the long units.
    """

    def __init__(self) -> None:
        """Start without observations."""
        self._seconds: dict[tuple[int, ...], list[float]] = defaultdict(list)
        self._features: dict[tuple[int, ...], dict[str, float]] = {}
        self.observations = 0

    def observe(self, unit: Unit, seconds: float) -> None:
        """Record the seconds that a unit took."""
        key = _key(unit)
        self._seconds[key].append(max(seconds, SHORTEST_SECONDS))
        self._features.setdefault(key, features_of(unit))
        self.observations += 1

    def expect(self, units: Iterable[Unit]) -> list[float]:
        """Return the expected seconds of each unit; 1.0 for all without observations."""
        units = list(units)
        if not self.observations:
            return [1.0] * len(units)
        unknown = [unit for unit in units if _key(unit) not in self._seconds]
        estimates = dict(zip(map(_key, unknown), self._regress(unknown), strict=True))
        return [
            float(np.mean(self._seconds[_key(unit)]))
            if _key(unit) in self._seconds
            else estimates[_key(unit)]
            for unit in units
        ]

    def _regress(self, units: Sequence[Unit]) -> list[float]:
        if not units:
            return []
        keys = list(self._seconds)[-MAX_EQUATIONS:]
        known = [self._features[key] for key in keys]
        logs = np.log([np.mean(self._seconds[key]) for key in keys])
        names = list(dict.fromkeys(name for row in known for name in row))
        A, centre = _matrix(known, names), logs.mean()
        means = A.mean(axis=0)
        A -= means
        weights = np.linalg.solve(A.T @ A + RIDGE * np.eye(len(names)), A.T @ (logs - centre))
        deviations = (_matrix([features_of(unit) for unit in units], names) - means) @ weights
        # No estimate is far outside the observed range.
        low, high = logs.min() - 1.0, logs.max() + 1.0
        return [float(value) for value in np.exp(np.clip(centre + deviations, low, high))]


def features_of(unit: Unit) -> dict[str, float]:
    """Return the maximum of each number over a unit's candidates, and indicators of values."""
    features = {"rows": math.log(unit.candidates[0].rows)}
    for candidate in unit.candidates:
        for name, value in candidate.params.items():
            if isinstance(value, Real) and not isinstance(value, bool):
                number = math.log1p(abs(float(value)))
                features[name] = max(features.get(name, number), number)
            else:
                features[f"{name}={value}"] = 1.0
    return features


def _matrix(rows: Sequence[dict[str, float]], names: Sequence[str]) -> np.ndarray:
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=float)


def _key(unit: Unit) -> tuple[int, ...]:
    return tuple(candidate.number for candidate in unit.candidates)
