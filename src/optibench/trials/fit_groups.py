"""Units of candidates and folds: candidates that share fits run together."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from optibench.records import Candidate, Unit

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from optibench.contracts import FitSharing


def group(pairs: Sequence[tuple[Candidate, int]], fit_sharing: FitSharing | None) -> list[Unit]:
    """Return the units of pairs of candidate and fold, in the order of the candidates.

    A fit group is never split: its largest candidate alone costs as much as all together.

    Args:
        pairs: the trials to run, each pair once.
        fit_sharing: decides which candidates share fits; None: none do.
    """
    fit_groups: dict[tuple[int, Hashable], list[Candidate]] = defaultdict(list)
    for candidate, fold in pairs:
        fit_groups[fold, _fit_group(candidate, fit_sharing)].append(candidate)
    units = [Unit(tuple(members), fold) for (fold, _), members in fit_groups.items()]
    return sorted(units, key=lambda unit: (unit.candidates[0].number, unit.fold))


def _fit_group(candidate: Candidate, fit_sharing: FitSharing | None) -> Hashable:
    """Return a key that is equal for candidates that are fitted together.

    Candidates that continue earlier fits, or will be continued, are fitted individually.
    """
    alone = candidate.continues is not None or candidate.resumable or fit_sharing is None
    fit_group = None if alone or fit_sharing is None else fit_sharing.fit_group(candidate.params)
    return candidate.number if fit_group is None else (fit_group, candidate.rows)
