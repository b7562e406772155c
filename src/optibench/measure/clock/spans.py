"""The interval of one phase, which the recorder writes and the reports read."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """One uninterrupted interval of one phase; times are seconds since the epoch."""

    phase: str
    start: float
    end: float
