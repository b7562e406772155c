"""The common layout of what engines record about their tasks (profile/engine.json)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Amounts = defaultdict[str, float]


class TaskMetricsSums:
    """Sums of tasks, seconds and bytes, by phase and operation."""

    def __init__(self) -> None:
        """Start without tasks."""
        self._cells: defaultdict[tuple[str, str], Amounts] = defaultdict(_zero_amounts)

    def add(self, phase: str, operation: str, amounts: Mapping[str, float]) -> None:
        """Add amounts to an operation of a phase."""
        cell = self._cells[phase, operation]
        for name, amount in amounts.items():
            cell[name] += amount

    def summary(self) -> dict[str, Any]:
        """`total`, `operations` (the longest first), and both for each phase."""
        phases = dict.fromkeys(phase for phase, _ in self._cells)
        return {
            **self._summary(phases),
            "phases": {phase: self._summary([phase]) for phase in phases},
        }

    def _summary(self, phases: Iterable[str]) -> dict[str, Any]:
        wanted, total = set(phases), _zero_amounts()
        by_name: defaultdict[str, Amounts] = defaultdict(_zero_amounts)
        for (phase, operation), amounts in self._cells.items():
            if phase in wanted:
                for name, amount in amounts.items():
                    total[name] += amount
                    by_name[operation][name] += amount
        longest = sorted(by_name, key=lambda name: (-by_name[name]["run_seconds"], name))
        return {
            "total": _ordered(total),
            "operations": [{"name": name, **_ordered(by_name[name])} for name in longest],
        }


def _zero_amounts() -> Amounts:
    return defaultdict(float, tasks=0, run_seconds=0.0, cpu_seconds=0.0)


def _ordered(amounts: Mapping[str, float]) -> dict[str, float]:
    """Return counts first, then seconds, then bytes; seconds to the microsecond."""

    def rank(name: str) -> int:
        return 2 if name.endswith("_bytes") else 1 if name.endswith("_seconds") else 0

    return {
        name: round(amounts[name], 6) if rank(name) == 1 else round(amounts[name])
        for name in sorted(amounts, key=rank)
    }
