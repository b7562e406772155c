"""Candidates and folds to units: those that share fits are run together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from optibench.records import Candidate, Unit

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from optibench.contracts import Savings


def group(
    wanted: Sequence[tuple[Candidate, int]], savings: Savings | None, *, at_least: int
) -> list[Unit]:
    """Make units of pairs of candidate and fold, in the order of the candidates.

    Args:
        wanted: what is to be run, each pair once.
        savings: says which candidates share fits; None: none do.
        at_least: where there are fewer units than this (the workers), the largest are halved:
            what is computed twice then costs no time, because it is computed side by side.
    """
    families: dict[tuple[int, Hashable], list[Candidate]] = defaultdict(list)
    for candidate, fold in wanted:
        families[fold, _family(candidate, savings)].append(candidate)
    units = [Unit(tuple(members), fold) for (fold, _), members in families.items()]
    while len(units) < at_least and (largest := max(units, key=_size)) and _size(largest) > 1:
        units.remove(largest)
        middle = _size(largest) // 2
        parts = (largest.candidates[:middle], largest.candidates[middle:])
        units += [Unit(part, largest.fold) for part in parts]
    return sorted(units, key=lambda unit: (unit.candidates[0].number, unit.fold))


def _family(candidate: Candidate, savings: Savings | None) -> Hashable:
    """Candidates that go on from earlier fits are each fitted by themselves."""
    alone = candidate.continues is not None or candidate.resumable or savings is None
    family = None if alone or savings is None else savings.family(candidate.params)
    return candidate.number if family is None else (family, candidate.rows)


def _size(unit: Unit) -> int:
    return len(unit.candidates)
