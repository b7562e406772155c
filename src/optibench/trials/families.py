"""Candidates and folds to units: those that share fits are run together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from optibench.records import Candidate, Unit

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from optibench.contracts import Savings


def group(wanted: Sequence[tuple[Candidate, int]], savings: Savings | None) -> list[Unit]:
    """Make units of pairs of candidate and fold, in the order of the candidates.

    A family is never split: its largest candidate alone costs what all of them cost together.

    Args:
        wanted: what is to be run, each pair once.
        savings: says which candidates share fits; None: none do.
    """
    families: dict[tuple[int, Hashable], list[Candidate]] = defaultdict(list)
    for candidate, fold in wanted:
        families[fold, _family(candidate, savings)].append(candidate)
    units = [Unit(tuple(members), fold) for (fold, _), members in families.items()]
    return sorted(units, key=lambda unit: (unit.candidates[0].number, unit.fold))


def _family(candidate: Candidate, savings: Savings | None) -> Hashable:
    """Candidates that go on from earlier fits are each fitted by themselves."""
    alone = candidate.continues is not None or candidate.resumable or savings is None
    family = None if alone or savings is None else savings.family(candidate.params)
    return candidate.number if family is None else (family, candidate.rows)
