"""The resource that successive halving distributes: rows, or an integer hyperparameter."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from optibench.errors import ConfigError
from optibench.records import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.records import Params
    from optibench.search.points import Point

ROWS = "rows"
DEFAULT_STEPS = 3  # the default of min_resource is max_resource / factor**3: four rungs
_DENOMINATOR = 10**9  # a float of 1/27 stands for exactly 1/27


@dataclass(frozen=True)
class Ladder:
    """The amounts of a resource on the rungs.

    Attributes:
        params: the fixed hyperparameters, which a point of the space overrides.
        resource: "rows", or the name of the hyperparameter.
        levels: shares of the rows or whole numbers, smallest first, each about `factor` times the
            one before; the last is exactly the full resource.
    """

    params: Params
    resource: str
    levels: tuple[float, ...]
    factor: int

    def candidate(
        self, number: int, point: Point, level: int, continues: int | None = None
    ) -> Candidate:
        """Return the candidate of a point at a level.

        `continues` is the number of the candidate with the same point one level below.
        """
        amount, full = self.levels[level], self.levels[-1]
        params = {**self.params, **point}
        if self.resource == ROWS:
            # A fit on more rows starts from scratch, so that it continues no other fit.
            return Candidate(number, params, rows=amount, budget=amount / full)
        return Candidate(
            number,
            {**params, self.resource: amount},
            budget=amount / full,
            continues=continues,
            resumable=level < len(self.levels) - 1,
        )


@dataclass(frozen=True)
class Resource:
    """The resource as configured (`search.resource` and its limits)."""

    name: str
    smallest: float | None
    full: float | None
    factor: int

    def ladder(self, params: Params, space: Mapping[str, Any]) -> Ladder:
        """Return the levels of the resource.

        Raises:
            ConfigError: an amount is not allowed, or the resource is in the search space as well.
        """
        if self.factor < 2:  # noqa: PLR2004
            msg = (
                f"search.factor={self.factor}: a whole number of at least 2 is allowed; one in "
                "`factor` candidates is promoted to the next rung."
            )
            raise ConfigError(msg)
        if self.name in space:
            msg = (
                f"search.resource={self.name} is in the search space as well "
                f"(model.space.{self.name}={space[self.name]!r}): all candidates of a rung get "
                f"the same amount of it, so remove it with ~model.space.{self.name}, or choose "
                "another resource, e.g. search.resource=rows."
            )
            raise ConfigError(msg)
        levels = self._shares() if self.name == ROWS else self._whole_numbers(params)
        return Ladder(params, self.name, levels, self.factor)

    def _shares(self) -> tuple[float, ...]:
        full = 1.0 if self.full is None else self.full
        smallest = full / self.factor**DEFAULT_STEPS if self.smallest is None else self.smallest
        for key, value in (("max", full), ("min", smallest)):
            if not 0 < value <= 1:
                msg = (
                    f"search.{key}_resource={value}: with search.resource=rows it is a share of "
                    "the rows, above 0 and up to 1, e.g. 0.25."
                )
                raise ConfigError(msg)
        _check_order(smallest, full)
        exact_full = Fraction(full).limit_denominator(_DENOMINATOR)
        exact_smallest = Fraction(smallest).limit_denominator(_DENOMINATOR)
        steps = _count_steps(exact_full, exact_smallest, self.factor)
        return (*(float(exact_full / self.factor**step) for step in range(steps, 0, -1)), full)

    def _whole_numbers(self, params: Params) -> tuple[int, ...]:
        full = self._full_number(params)
        smallest = self.smallest
        if smallest is None:
            smallest = max(1, full // self.factor**DEFAULT_STEPS)
        smallest = _whole_number(f"search.min_resource={smallest}", smallest)
        _check_order(smallest, full)
        steps = _count_steps(Fraction(full), Fraction(smallest), self.factor)
        return tuple(full // self.factor**step for step in range(steps, -1, -1))

    def _full_number(self, params: Params) -> int:
        if self.full is not None:
            return _whole_number(f"search.max_resource={self.full}", self.full)
        if self.name not in params:
            msg = (
                f"search.max_resource=null with search.resource={self.name}: give the largest "
                f"amount, e.g. search.max_resource=100, or fix it as model.params.{self.name}."
            )
            raise ConfigError(msg)
        value = params[self.name]
        return _whole_number(f"model.params.{self.name}={value}", value)


def _check_order(smallest: float, full: float) -> None:
    if smallest > full:
        msg = (
            f"search.min_resource={smallest} is above search.max_resource={full}: "
            "it must be at most that."
        )
        raise ConfigError(msg)


def _whole_number(setting: str, value: object) -> int:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0.5
    if number != number // 1 or number < 1:
        msg = (
            f"{setting}: an amount of a hyperparameter is a whole number of at least 1; "
            "for a share of the rows use search.resource=rows."
        )
        raise ConfigError(msg)
    return int(number)


def _count_steps(full: Fraction, smallest: Fraction, factor: int) -> int:
    """Return how often `full` can be divided by `factor` without falling below `smallest`."""
    steps = 0
    while full / factor ** (steps + 1) >= smallest:
        steps += 1
    return steps
