"""What every plug-in has in common: its form, and how it is found."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from optibench.config.composition import compose
from optibench.config.registry import find
from optibench.config.resolution import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optibench.contracts import Backend, DatasetSource, Model, Search


@contextmanager
def global_random_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global random numbers inside, on which no plug-in may depend."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


def check_plugin(
    group: str, plugin: Model | Search | DatasetSource | Backend, overrides: Sequence[str] = ()
) -> None:
    """Check that a plug-in is a frozen dataclass which the configuration finds by its name.

    Args:
        group: of the configuration, such as `model`.
        plugin: as the author's test configures it.
        overrides: needed to configure it from the command line, for fields without a default.
    """
    kind = type(plugin)
    assert is_dataclass(plugin), f"{kind.__qualname__} is no dataclass"
    field = fields(plugin)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(plugin, field, None)
    found = find(group, plugin.name)
    assert found is kind, (
        f"{group}={plugin.name} is {found.__qualname__}: does the package declare "
        f"{kind.__qualname__} as an entry point of this name?"
    )
    config = resolve(compose([f"{group}={plugin.name}", *overrides]))
    chosen = {
        "model": config.model,
        "search": config.search,
        "dataset": config.dataset,
        "backend": config.backend,
    }[group]
    assert type(chosen) is kind
    assert chosen.name == plugin.name
