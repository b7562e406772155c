"""Types, ranges and choices of hyperparameters, which are checked before anything is fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from optibench.contracts import DistributedFitSupport  # noqa: TC001 - OmegaConf resolves it
from optibench.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optibench.records import Params


@dataclass(frozen=True)
class Number:
    """A number in a range, or one of a few words.

    Attributes:
        low, high: the ends of the range; both are allowed, unless `above_low` is set.
        whole: only whole numbers are allowed.
        above_low: `low` itself is not allowed.
        words: texts that are also allowed, such as "auto".
        none: null is allowed and leaves the choice to the library.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    above_low: bool = False
    words: tuple[str, ...] = ()
    none: bool = False

    def allows(self, value: object) -> bool:
        """Return True if the estimator accepts `value`."""
        if value is None or isinstance(value, str):
            return self.none if value is None else value in self.words
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number = float(value)
        inside = self.low < number if self.above_low else self.low <= number
        return math.isfinite(number) and inside and number <= self.high

    def __str__(self) -> str:
        """Return the allowed values, as a message states them."""
        text = "a whole number" if self.whole else "a number"
        if math.isfinite(self.low) and math.isfinite(self.high):
            text += f" {'above' if self.above_low else 'from'} {self.low:g} to {self.high:g}"
        elif math.isfinite(self.low):
            text += f" above {self.low:g}" if self.above_low else f" of at least {self.low:g}"
        return " or ".join([text, *self.words, *(["null"] if self.none else [])])


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def allows(self, value: object) -> bool:
        """Return True if the estimator accepts `value`; True is different from 1."""
        return any(type(value) is type(known) and value == known for known in self.values)

    def __str__(self) -> str:
        """Return the allowed values, as a message states them."""
        return " or ".join("null" if value is None else str(value) for value in self.values)


@dataclass(frozen=True)
class CountOrShare:
    """A number of rows or features: a whole number, or a share of them as a float.

    Attributes:
        low: the smallest number.
        below_one: the share 1.0, which means all, is not allowed.
        words: texts that are also allowed, such as "sqrt".
        none: null is allowed.
    """

    low: int
    below_one: bool = False
    words: tuple[str, ...] = ()
    none: bool = False

    def allows(self, value: object) -> bool:
        """Return True if the estimator accepts `value`."""
        if value is None or isinstance(value, str):
            return self.none if value is None else value in self.words
        if isinstance(value, Integral):
            return not isinstance(value, bool) and int(value) >= self.low
        if not isinstance(value, Real):
            return False
        return 0 < float(value) < 1 or (float(value) == 1 and not self.below_one)

    def __str__(self) -> str:
        """Return the allowed values, as a message states them."""
        share = "a share above 0 and below 1" if self.below_one else "a share above 0 up to 1.0"
        text = f"a whole number of at least {self.low}"
        return " or ".join([text, share, *self.words, *(["null"] if self.none else [])])


# Parameters of scikit-learn's interface that OptiBench sets, and the keys to use instead.
SET_HERE = {
    "random_state": "use seed= at the top level",
    "seed": "use seed= at the top level",
    "n_jobs": "use backend.threads_per_trial=",
}
Spec = Number | Choice | CountOrShare


@dataclass(frozen=True)
class Catalogue:
    """Every hyperparameter of one model.

    Attributes:
        model: name of the model.
        specs: the allowed values of each, by its canonical name.
        aliases: other names of the same hyperparameters -> the canonical name.
        reserved: names that OptiBench sets itself -> what to use instead.
    """

    model: str
    specs: Mapping[str, Spec]
    aliases: Mapping[str, str]
    reserved: Mapping[str, str]

    def check(self, params: Params) -> None:
        """Check names and values.

        Raises:
            ConfigError: a name is unknown or reserved, two names mean one hyperparameter, or a
                value is not allowed.
        """
        seen: dict[str, str] = {}
        for name, value in params.items():
            canonical = self._canonical(name)
            if canonical in seen:
                msg = (
                    f"{self.model}: {seen[canonical]} and {name} are two names of one "
                    f"hyperparameter; keep one of them (~model.space.{name} removes {name} from "
                    "the search space)."
                )
                raise ConfigError(msg)
            seen[canonical] = name
            if not self.specs[canonical].allows(value):
                allowed = self.specs[canonical]
                msg = f"{self.model}: {name}={value!r} is not allowed; allowed is {allowed}."
                raise ConfigError(msg)

    def canonical(self, params: Params) -> dict[str, Any]:
        """Return `params`, which have passed `check`, under their canonical names."""
        return {self.aliases.get(name, name): value for name, value in params.items()}

    def _canonical(self, name: str) -> str:
        refuse_unknown(self.model, name, [*self.specs, *self.aliases], self.reserved)
        return self.aliases.get(name, name)


@dataclass(frozen=True)
class Tunable:
    """Base class of models with a catalogue; each adds its task and its estimator."""

    catalogue: ClassVar[Catalogue]
    distributed_fit: ClassVar[DistributedFitSupport | None] = None

    name: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)

    def check(self, params: Params) -> None:
        """Refuse an unknown hyperparameter or a value that is not allowed.

        Raises:
            ConfigError: the message has the nearest known names, or what is allowed.
        """
        self.catalogue.check(params)


def refuse_unknown(
    model: str, name: str, known: Sequence[str], reserved: Mapping[str, str]
) -> None:
    """Check the name of a hyperparameter.

    Raises:
        ConfigError: the name is reserved or unknown; the message has what to use instead.
    """
    if name in reserved:
        msg = f"{model}: {name} is set by OptiBench itself; {reserved[name]}."
        raise ConfigError(msg)
    if name not in known:
        near = get_close_matches(name, known, n=3)
        hint = f"the nearest are {', '.join(near)}" if near else f"known are {', '.join(known)}"
        msg = f"{model}: there is no hyperparameter {name!r}; {hint}."
        raise ConfigError(msg)
