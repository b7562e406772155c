"""Hold rows in a temporary file until the union of their columns is known."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from optibench.tracking.stored_runs import Row

RUN_COLUMNS = ("run_id", "name", "status", "start")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|-?inf")


class ValueKind(StrEnum):
    """The type of a column's values, for formats with types."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class ExportColumn:
    """One column of the joined table."""

    name: str
    kind: ValueKind


class Spool:
    """Rows on their way to a file; a context manager that deletes its temporary file."""

    def __init__(self) -> None:
        self._file = TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115  (closed by __exit__)
        self._kinds: dict[str, ValueKind | None] = {}
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def fill(self, rows: Iterable[Row], *, infer: bool) -> None:
        """Store all rows and learn their columns.

        Args:
            rows: flat rows; None and a missing key both mean that there is no value.
            infer: treat a column of texts as numbers if each of them is one, as in a CSV file.
        """
        for row in rows:
            self._file.write(json.dumps(row) + "\n")
            self.count += 1
            for name, value in row.items():
                known = self._kinds.setdefault(name, None)
                if value is not None and known is not ValueKind.TEXT:
                    self._kinds[name] = _wider(known, _kind_of(name, value, infer=infer))

    def columns(self, *, by_name: bool) -> list[ExportColumn]:
        """Return the union of all columns: `RUN_COLUMNS`, then by name or in order of arrival."""
        rest = [name for name in self._kinds if name not in RUN_COLUMNS]
        if by_name:
            order = {"params": 0, "metrics": 1, "tags": 2}
            rest.sort(key=lambda name: (order.get(name.partition(".")[0], 3), name))
        names = [name for name in RUN_COLUMNS if name in self._kinds] + rest
        return [ExportColumn(name, self._kinds[name] or ValueKind.TEXT) for name in names]

    def rows(self) -> Iterator[Row]:
        """Yield every row again, in order of arrival."""
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)


def typed(value: Any, kind: ValueKind) -> Any:
    """Convert a cell's value to its column's type."""
    if value is None or kind in {ValueKind.TEXT, ValueKind.TIME}:
        return value
    return int(value) if kind is ValueKind.INTEGER else float(value)


def _kind_of(name: str, value: Any, *, infer: bool) -> ValueKind:
    if not isinstance(value, str):
        return ValueKind.NUMBER
    if name == "start" and not infer:
        return ValueKind.TIME
    if not infer or name == "run_id":
        return ValueKind.TEXT
    if _INTEGER.fullmatch(value):
        return ValueKind.INTEGER
    return ValueKind.NUMBER if _NUMBER.fullmatch(value) else ValueKind.TEXT


def _wider(known: ValueKind | None, new: ValueKind) -> ValueKind:
    if known is None or known is new:
        return new
    return (
        ValueKind.NUMBER
        if {known, new} == {ValueKind.INTEGER, ValueKind.NUMBER}
        else ValueKind.TEXT
    )
