"""Write a table of any length as CSV, JSON, Parquet, Markdown, LaTeX or HTML, uncut."""

from __future__ import annotations

import html
import io
import json
import math
from datetime import datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from optibench.report.spool import ExportColumn, ValueKind, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from optibench.tracking.stored_runs import Row

ROW_GROUP = 5_000  # rows of a Parquet row group, held in memory at once

_PAGE = '<!doctype html>\n<meta charset="utf-8">\n<title>OptiBench runs</title>\n'
_LATEX = str.maketrans(
    {mark: rf"\{mark}" for mark in "{}$&%#_"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"\n": " ", "\r": " "}
)
_MARKDOWN = str.maketrans({"|": r"\|", "\\": r"\\", "\n": "<br>", "\r": ""})


def write_csv(columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]) -> None:
    """Write RFC 4180 with line feeds: a missing value as an empty field, an empty text as `""`."""
    _write_lines(stream, _csv_lines(columns, rows))


def write_json(columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]) -> None:
    """Write an array of flat objects with the same keys; NaN and infinity become null."""
    _write_lines(stream, _json_lines(columns, rows))


def write_markdown(
    columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]
) -> None:
    """Write a pipe table; a line break in a value becomes `<br>`."""

    def lines() -> Iterator[str]:
        yield _piped(column.name for column in columns)
        yield _piped("---" for _ in columns)
        for row in rows:
            yield _piped(_text(row.get(column.name)) for column in columns)

    _write_lines(stream, lines())


def write_latex(columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]) -> None:
    """Write a `tabular`; numbers are aligned to the right."""

    def lines() -> Iterator[str]:
        alignment = "".join(
            "r" if column.kind in {ValueKind.NUMBER, ValueKind.INTEGER} else "l"
            for column in columns
        )
        yield rf"\begin{{tabular}}{{{alignment}}}"
        yield r"\hline"
        yield _ampersands(column.name for column in columns)
        yield r"\hline"
        for row in rows:
            yield _ampersands(_text(row.get(column.name)) for column in columns)
        yield r"\hline"
        yield r"\end{tabular}"

    _write_lines(stream, lines())


def write_html(columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]) -> None:
    """Write a page with one table, without styles or scripts."""

    def lines() -> Iterator[str]:
        yield f'{_PAGE}<table border="1">'
        cells = "".join(f"<th>{html.escape(column.name)}</th>" for column in columns)
        yield f"<thead><tr>{cells}</tr></thead>\n<tbody>"
        for row in rows:
            cells = "".join(
                f"<td>{html.escape(_text(row.get(column.name)))}</td>" for column in columns
            )
            yield f"<tr>{cells}</tr>"
        yield "</tbody>\n</table>"

    _write_lines(stream, lines())


def write_parquet(columns: Sequence[ExportColumn], rows: Iterable[Row], stream: IO[bytes]) -> None:
    """Write typed columns: text, int64, float64, and the start as a UTC timestamp."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        ValueKind.TEXT: pa.string(),
        ValueKind.INTEGER: pa.int64(),
        ValueKind.NUMBER: pa.float64(),
        ValueKind.TIME: pa.timestamp("ms", tz="UTC"),
    }
    schema = pa.schema([(column.name, types[column.kind]) for column in columns])
    remaining = iter(rows)
    with parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(remaining, ROW_GROUP)):
            arrays = [
                pa.array(
                    [_arrow(row.get(column.name), column.kind) for row in group],
                    types[column.kind],
                )
                for column in columns
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


WRITERS: dict[str, Callable[[Sequence[ExportColumn], Iterable[Row], IO[bytes]], None]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
    "md": write_markdown,
    "latex": write_latex,
    "html": write_html,
}


def _write_lines(stream: IO[bytes], lines: Iterable[str]) -> None:
    """Write lines as UTF-8, whatever the terminal's encoding is; leave the stream open."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        for line in lines:
            text.write(line)
            text.write("\n")
        text.flush()
    finally:
        text.detach()


def _csv_lines(columns: Sequence[ExportColumn], rows: Iterable[Row]) -> Iterator[str]:
    yield ",".join(_csv_cell(column.name) for column in columns)
    for row in rows:
        yield ",".join(_csv_cell(row.get(column.name)) for column in columns)


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    if not text or text != text.strip() or any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json_lines(columns: Sequence[ExportColumn], rows: Iterable[Row]) -> Iterator[str]:
    before = "["
    for row in rows:
        cells = {
            column.name: _json_cell(typed(row.get(column.name), column.kind)) for column in columns
        }
        yield before + json.dumps(cells, ensure_ascii=False, allow_nan=False)
        before = ","
    yield "]" if before == "," else "[]"


def _json_cell(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arrow(value: Any, kind: ValueKind) -> Any:
    return (
        datetime.fromisoformat(value) if kind is ValueKind.TIME and value else typed(value, kind)
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _piped(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.translate(_MARKDOWN) for cell in cells) + " |"


def _ampersands(cells: Iterable[str]) -> str:
    return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"
