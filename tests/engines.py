"""The engines that tests run on, and how tests share a started one.

A test marked `shared_engine` runs on an engine that stays up for the next test with the same
settings. `tests/conftest.py` runs such tests one after the other and closes the engine after the
last of them. Tests that kill or break an engine start their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from optibench.backends.common import reuse
from optibench.config.composition import compose
from optibench.config.resolution import resolve
from optibench.records import EngineRequest
from optibench.runner import benchmark
from optibench.tracking.memory import MemoryTracker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from optibench.contracts import Engine
    from optibench.records import Result

SKLEARN = pytest.param("sklearn", marks=pytest.mark.slow)
DASK = pytest.param("dask", marks=pytest.mark.dask)
SPARK = pytest.param("spark", marks=pytest.mark.spark)
BACKENDS = (SKLEARN, DASK, SPARK)
TRAINING_BACKENDS = (DASK, SPARK)  # which can train data-parallel
MEMORY_BYTES = 2**33


class SharedEngine(NamedTuple):
    """The settings of an engine that tests share; tests are sorted by them.

    Each field is a keyword of the marker `shared_engine`, or a parameter of the test.

    Attributes:
        kills: the tests kill workers of the engine, which other tests do not share.
    """

    backend: str = "sklearn"
    parallelism: str = "trials"
    workers: int = 2
    kills: bool = False

    @classmethod
    def of(cls, item: pytest.Item | None) -> SharedEngine | None:
        """Return the settings that a test asks for; None for a test that shares no engine."""
        marker = None if item is None else item.get_closest_marker("shared_engine")
        if marker is None:
            return None
        params = dict(item.callspec.params) if hasattr(item, "callspec") else {}
        if "training_backend" in params:
            params["backend"] = params["training_backend"]
        given = {key: params[key] for key in cls._fields if key in params}
        return cls(**{**marker.kwargs, **given})

    @property
    def place(self) -> tuple[int, str, bool, int]:
        """Where the tests of this engine come among those of the others."""
        names = [parameter.values[0] for parameter in BACKENDS]
        return names.index(self.backend), self.parallelism, self.kills, self.workers

    @property
    def words(self) -> list[str]:
        """The overrides of a run on this engine."""
        settings = [f"backend.{key}={getattr(self, key)}" for key in ("parallelism", "workers")]
        return [f"backend={self.backend}", *settings, "backend.keep_alive=true"]

    def run(
        self, *overrides: str, tracker: MemoryTracker | None = None
    ) -> tuple[Result, MemoryTracker]:
        """Run a benchmark on the engine without a profile."""
        quiet = ("profiling=off", "progress=false")
        return run(*self.words, *quiet, *overrides, tracker=tracker)

    @contextmanager
    def opened(self, logs: Path, modules: Sequence[str] = ()) -> Iterator[Engine]:
        """Take over the engine, or start it; leave it up for the next test."""
        backend = resolve(compose(self.words)).backend
        request = EngineRequest(self.workers, 1, tuple(modules), logs, MEMORY_BYTES)
        with reuse.open_engine(backend, request, lambda _engine: None) as running:
            yield running.engine


def run(*overrides: str, tracker: MemoryTracker | None = None) -> tuple[Result, MemoryTracker]:
    """Run a benchmark that is tracked in memory."""
    tracker = tracker or MemoryTracker()
    return benchmark.run(resolve(compose(list(overrides))), tracker=tracker), tracker
