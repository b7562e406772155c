"""`optibench export`: write all benchmark runs, or all trials, as one table."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from optibench.errors import ConfigError, OptiBenchError, TrackingError
from optibench.redaction import redact, redact_exception

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optibench.report.spool import Spool

# The format of each ending of a file.
ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".md": "md",
    ".tex": "latex",
    ".latex": "latex",
    ".html": "html",
    ".htm": "html",
}
FORMATS = tuple(dict.fromkeys(ENDINGS.values()))


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and to which file.

    Attributes:
        uri: the store's address; None for MLFLOW_TRACKING_URI or the embedded default below
            `root`.
        experiment: one experiment's name; None for all.
        trials: all trials instead of one row per run.
        format: one of `FORMATS`; None takes it from the file's ending, and CSV on stdout.
        output: the file; None for stdout.
    """

    uri: str | None
    root: Path
    experiment: str | None = None
    trials: bool = False
    format: str | None = None
    output: Path | None = None


def export(request: ExportRequest) -> None:
    """Write the table.

    A file appears complete or not at all. On stdout there is nothing but the data.

    Raises:
        ConfigError: there is nothing to export, or the format or the file cannot be used.
        TrackingError: reading the store failed.
    """
    form = _format(request)
    if request.output is None and form == "parquet" and sys.stdout.isatty():
        message = "Parquet is binary: write it to a file with -o FILE.parquet."
        raise ConfigError(message)
    # Imported here: `optibench export --help` needs neither.
    from optibench.report.spool import Spool
    from optibench.report.table_formats import WRITERS

    with Spool() as spool:
        _read(request, spool)
        columns = spool.columns(by_name=not request.trials)
        with _opened(request.output) as stream:
            WRITERS[form](columns, spool.rows(), stream)
            stream.flush()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `optibench export`."""
    parser.add_argument("--experiment", metavar="E", help="one experiment only (default: all)")
    parser.add_argument(
        "--trials", action="store_true", help="every trial instead of one row per run"
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="default: from the ending of FILE, csv on stdout"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: stdout")
    parser.add_argument(
        "--uri",
        metavar="URI",
        help="tracking store (default: MLFLOW_TRACKING_URI, then ./mlruns/mlflow.db)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, 2 if there is nothing to export."""
    parser = argparse.ArgumentParser(
        prog="optibench export",
        description="Write all benchmark runs, or all trials, as one table.",
    )
    add_arguments(parser)
    options = vars(parser.parse_args(argv))
    try:
        export(ExportRequest(root=Path.cwd(), **options))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python flushes stdout again at exit, which must
        # not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OptiBenchError as error:
        print(f"optibench export: {redact(str(error))}", file=sys.stderr)
        return error.exit_code
    return 0


def _format(request: ExportRequest) -> str:
    if request.format is not None:
        if request.format not in FORMATS:
            message = f"--format {request.format}: allowed are {', '.join(FORMATS)}."
            raise ConfigError(message)
        return request.format
    if request.output is None:
        return "csv"
    ending = request.output.suffix.lower()
    if ending not in ENDINGS:
        message = (
            f"-o {request.output}: the ending {ending or '(none)'} names no format; use one of "
            f"{', '.join(ENDINGS)}, or give --format {{{','.join(FORMATS)}}}."
        )
        raise ConfigError(message)
    return ENDINGS[ending]


def _read(request: ExportRequest, spool: Spool) -> None:
    from optibench.tracking.store import quiet
    from optibench.tracking.stored_runs import StoredRuns

    with quiet():
        store = StoredRuns(request.uri, request.root)
        experiments = store.select(request.experiment)
        try:
            rows = store.trials(experiments) if request.trials else store.runs(experiments)
            spool.fill(rows, infer=request.trials)
        except Exception as error:
            # MLflow, its database and its artifact store each raise their own errors.
            redact_exception(error)
            message = f"The tracking store failed while it was read: {redact(str(error))}"
            raise TrackingError(message) from error
    if spool.count == 0:
        what = "trials" if request.trials else "benchmark runs"
        where = f"experiment {request.experiment!r} of " if request.experiment else ""
        message = f"There are no {what} in {where}{store.described()}."
        raise ConfigError(message)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as stream:
            yield stream
        unfinished.replace(output)
    except OSError as error:
        message = f"-o {output}: the file cannot be written ({error.strerror})."
        raise ConfigError(message) from error
    finally:
        unfinished.unlink(missing_ok=True)
