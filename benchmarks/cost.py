"""What sampling, profiling and tracking add to our own search, each told separately.

The bare search has no cProfile, no nested runs, and a sampler that sleeps through it; each variant
adds one of the three, the last one all of them, which is what a run does by default. Sampling and
profiling show as a longer search. Tracking shows as the time that logging holds up the driver:
all of it, since a search alone logs nothing; without nested runs some of it is left.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import engines
from benchmarks.grids import make_study
from benchmarks.hosts import Row, run_rounds, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.engines import Outcome
    from benchmarks.grids import Study

LIMIT = 0.10  # of the bare search, what this project sets out to keep to
PROFILED = "profiling=cprofile"
NESTED = "tracking.children=true"
# Variant: does the sampler work, and what is switched on.
VARIANTS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "bare": (False, ()),
    "sampling": (True, ()),
    "profiling": (False, (PROFILED,)),
    "tracking": (False, (NESTED,)),
    "all": (True, (PROFILED, NESTED)),
}


@contextmanager
def open_variant(
    backend: str, variant: str, study: Study, cores: int
) -> Iterator[Callable[[], Outcome]]:
    """One backend with some of the three switched on."""
    from optibench.measure.processes import sampler

    samples, overrides = VARIANTS[variant]
    if not samples:
        sampler.INTERVAL_SECONDS = 1e6  # of this process alone, which does nothing else
    with engines.open_ours(backend, study, cores, *overrides) as search:
        yield search


def table(grid: str, backend: str, *, cores: int, rounds: int) -> str:
    """Measure all variants in interleaved rounds and tell what each adds to the bare search."""
    rows = [Row(name, partial(open_variant, backend, name)) for name in VARIANTS]
    outcomes = run_rounds(
        rows, grid, partial(make_study, grid), cores=cores, rounds=range(rounds + 1)
    )
    bare = outcomes["bare"]
    lines = [
        f"\n{grid} grid, optibench/{backend}, {cores} cores; medians of {rounds} rounds",
        f"{'':12}{'search s':>10}{'logging s':>11}{'search +':>10}{'+ logging':>11}",
    ]
    for name, found in outcomes.items():
        search, logging = _added(found, bare)
        lines.append(
            f"{name:12}{median(o.seconds for o in found):10.3f}"
            f"{median(o.tracking_seconds for o in found):11.3f}{search:10.1%}{logging:11.1%}"
        )
    pairs = list(zip(outcomes["all"], bare, strict=True))
    on_top = [_on_top(a, b, b.tracking_seconds) for a, b in pairs]
    in_full = [_on_top(a, b, 0.0) for a, b in pairs]
    told = verdict(on_top, LIMIT)
    lines.append(f"on top of the bare run: {median(on_top):.1%}, at most {LIMIT:.0%}: {told}")
    told = verdict(in_full, LIMIT)
    lines.append(f"all logging counted, the bare run's too: {median(in_full):.1%}: {told}")
    return "\n".join(lines)


def _added(found: list[Outcome], bare: list[Outcome]) -> tuple[float, float]:
    """Return what a variant adds to search and logging, as shares of its round's bare search."""
    pairs = list(zip(found, bare, strict=True))
    search = median((a.seconds - b.seconds) / b.seconds for a, b in pairs)
    logging = median(a.tracking_seconds / b.seconds for a, b in pairs)
    return search, logging


def _on_top(found: Outcome, bare: Outcome, bare_logging: float) -> float:
    """Return what sampling, profiling and tracking add, as a share of the bare search."""
    added = found.seconds - bare.seconds + found.tracking_seconds - bare_logging
    return added / bare.seconds
