"""The Optuna library: whether it is installed, its distributions and its messages."""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optibench.errors import ConfigError
from optibench.search.space import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.distributions import BaseDistribution

    from optibench.search.space import Space


def require_optuna(search: str) -> None:
    """Check that Optuna is installed.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        msg = (
            f"search={search} draws its candidates with Optuna, which is not installed: "
            "pip install 'optibench[optuna]', or use search=random."
        )
        raise ConfigError(msg)


def require_torch(search: str) -> None:
    """Check that PyTorch is installed, which Optuna's Gaussian process requires.

    Raises:
        ConfigError: it is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        msg = (
            f"search={search} fits its Gaussian process with PyTorch, which is not installed: "
            "pip install torch (its CPU build is enough), or use search=tpe."
        )
        raise ConfigError(msg)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Optuna's log messages and its warnings about experimental features."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def optuna_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the search space as Optuna's distributions, by the same keys.

    Raises:
        ConfigError: a list contains a value that Optuna cannot store.
    """
    return {key: _distribution(key, space[key]) for key in space}


def _distribution(key: str, entry: list[object] | Distribution) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(entry, Distribution):
        if entry.integer:
            return IntDistribution(round(entry.low), round(entry.high), log=entry.log)
        return FloatDistribution(entry.low, entry.high, log=entry.log)
    choices: list[bool | int | float | str | None] = []
    for value in entry:
        if not (value is None or isinstance(value, bool | int | float | str)):
            msg = (
                f"model.space.{key} contains {value!r}: Optuna accepts null, true and false, "
                "numbers and text; remove it, or use search=random, which accepts any value."
            )
            raise ConfigError(msg)
        choices.append(value)
    return CategoricalDistribution(choices)
