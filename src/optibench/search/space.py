"""The search space: a list of values or a distribution `{low, high, log, int}` for each key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

DISTRIBUTION_KEYS = ("low", "high", "log", "int")


@dataclass(frozen=True)
class Distribution:
    """A uniform distribution between `low` and `high`, both included.

    Attributes:
        log: uniform in the logarithm.
        integer: only whole numbers.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def rvs(self, random_state: np.random.RandomState) -> float | int:
        """Return one drawn value; ParameterSampler requires this name and signature."""
        # Widened, so that the two limits are as likely as the numbers between them.
        widen = 0.5 if self.integer else 0.0
        low, high = self.low - widen, self.high + widen
        if self.log:
            value = math.exp(random_state.uniform(math.log(low), math.log(high)))
        else:
            value = random_state.uniform(low, high)
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value


Space = Mapping[str, "list[Any] | Distribution"]


def parse_space(space: Mapping[str, Any]) -> dict[str, list[Any] | Distribution]:
    """Return the checked `model.space` with its `{low, high}` entries as distributions.

    Raises:
        ConfigError: the space or one of its lists is empty, or an entry is neither a list nor a
            distribution.
    """
    if not space:
        msg = (
            "model.space is empty: a search needs at least one hyperparameter to vary, "
            "e.g. model.space.max_depth=[3,5]; for none use search=none."
        )
        raise ConfigError(msg)
    return {key: _parse_entry(f"model.space.{key}", entry) for key, entry in space.items()}


def _parse_entry(key: str, entry: object) -> list[Any] | Distribution:
    if isinstance(entry, list):
        if not entry:
            msg = f"{key}=[] is empty: give at least one value, or remove it with ~{key}."
            raise ConfigError(msg)
        if any(isinstance(value, dict) for value in entry):
            msg = (
                f"{key}={entry!r}: a list contains values; "
                "give one {low, high} or a list, not both."
            )
            raise ConfigError(msg)
        return entry
    if isinstance(entry, dict):
        return _parse_distribution(key, entry)
    msg = (
        f"{key}={entry!r}: allowed is a list, e.g. [1,2], "
        "or a distribution, e.g. {low: 1, high: 9}."
    )
    raise ConfigError(msg)


def _parse_distribution(key: str, entry: dict[Any, Any]) -> Distribution:
    unknown = [str(name) for name in entry if name not in DISTRIBUTION_KEYS]
    numbers = [entry.get("low"), entry.get("high")]
    flags = [entry.get("log", False), entry.get("int", False)]
    if (
        unknown
        or not all(_is_number(n) for n in numbers)
        or not all(isinstance(f, bool) for f in flags)
    ):
        msg = (
            f"{key}={entry!r}: a distribution is {{low: number, high: number, log: true|false, "
            f"int: true|false}}, the last two optional."
        )
        raise ConfigError(msg)
    distribution = Distribution(entry["low"], entry["high"], log=flags[0], integer=flags[1])
    _check_range(key, distribution)
    return distribution


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_range(key: str, d: Distribution) -> None:
    if not d.low < d.high:
        msg = f"{key}: low={d.low} must be below high={d.high}."
    elif d.log and d.low <= 0:
        msg = f"{key}: low={d.low} must be above 0 where log is true."
    elif d.integer and (d.low != round(d.low) or d.high != round(d.high)):
        msg = f"{key}: low={d.low} and high={d.high} must be whole numbers where int is true."
    else:
        return
    raise ConfigError(msg)
