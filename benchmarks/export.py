"""`optibench export` and `mlflow.search_runs` + pandas on a large store: time and peak memory.

    python -m benchmarks.export [--runs 10000] [--rounds 5] [--formats csv parquet]

The store has as many parameters, metrics and tags per run as a benchmark of this program writes.
Every export runs in a fresh process, imports included. The rounds are interleaved, in reversed
order in every other round. Both exports hold the same runs, columns and numbers; that is checked.
CPU seconds are comparable on a busy machine too; wall seconds are not.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

PARAMS, METRICS, TAGS = 68, 68, 9  # of a run of XGBoost on iris, and the tag with its kind
MIB = 2**20
FILTER = "tags.`optibench.kind` = 'benchmark'"
ORDER = ["attributes.start_time ASC", "attributes.run_id ASC"]
FIRST = ["run_id", "name", "status", "start"]
FIGURES = ("seconds", "cpu_seconds", "peak_mib")


def main() -> None:
    """Make the store, measure all exports and print a table; or run one export."""
    parser = argparse.ArgumentParser(prog="benchmarks.export", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", nargs="+", choices=["csv", "parquet"], default=["csv"])
    parser.add_argument("--one", nargs=3, metavar=("PROGRAM", "STORE", "FILE"))
    options = parser.parse_args()
    if options.one:
        program, store, file = options.one
        print(json.dumps(measured(PROGRAMS[program], store, Path(file))))
        return
    with tempfile.TemporaryDirectory(prefix="optibench-export-") as folder:
        begin = time.perf_counter()
        uri = make_store(Path(folder), options.runs)
        seconds = time.perf_counter() - begin
        print(f"store of {options.runs} runs made in {seconds:.1f} s", file=sys.stderr)
        for form in options.formats:
            print(table(uri, Path(folder), form, options), flush=True)


def make_store(folder: Path, runs: int) -> str:
    """Insert runs into a fresh MLflow database without MLflow, which would take an hour."""
    # In a process of its own: this one stays small and takes no memory from what is measured.
    code = "import sys; from pathlib import Path; from optibench.tracking import prepare_store; "
    code += "print(prepare_store(None, Path(sys.argv[1])).uri)"
    done = subprocess.run(  # noqa: S603 - this interpreter and a folder made here
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True
    )
    uri = done.stdout.strip()
    database = sqlite3.connect(uri.removeprefix("sqlite:///"))
    with closing(database), database:
        insert(database, runs)
    return uri


def insert(database: sqlite3.Connection, runs: int) -> None:
    """Insert finished benchmark runs into the experiment `Default`."""
    chance = random.Random(0)  # noqa: S311 - values of a benchmark
    for number in range(runs):
        run_id, start = f"{number:032x}", 1_700_000_000_000 + number
        database.execute(
            "insert into runs (run_uuid, name, source_type, source_name, entry_point_name, "
            "user_id, status, start_time, end_time, source_version, lifecycle_stage, "
            "artifact_uri, experiment_id) values (?, ?, 'UNKNOWN', '', '', 'user', 'FINISHED', "
            "?, ?, '', 'active', ?, 0)",
            (run_id, f"run {number}", start, start + 1000, f"file:///artifacts/{run_id}"),
        )
        database.executemany(
            "insert into params (key, value, run_uuid) values (?, ?, ?)",
            [(f"group.key_{i}", f"{chance.random():.4f}", run_id) for i in range(PARAMS)],
        )
        database.executemany(
            "insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "values (?, ?, ?, 0, 0, ?)",
            [(f"metric_{i}", chance.random(), start, run_id) for i in range(METRICS)],
        )
        tags = {f"tag_{i}": f"{chance.getrandbits(64):x}" for i in range(TAGS - 1)}
        tags |= {"optibench.kind": "benchmark", "mlflow.runName": f"run {number}"}
        database.executemany(
            "insert into tags (key, value, run_uuid) values (?, ?, ?)",
            [(key, value, run_id) for key, value in tags.items()],
        )


def by_optibench(uri: str, file: Path) -> None:
    """Export with this program."""
    from optibench.report.export import ExportRequest, export

    export(ExportRequest(uri, Path.cwd(), output=file))


def by_pandas(uri: str, file: Path) -> None:
    """Export the same table with MLflow's own frame."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    frame = mlflow.search_runs(
        search_all_experiments=True, filter_string=FILTER, order_by=ORDER, max_results=10**9
    )
    frame = frame.rename(columns={"start_time": "start"})
    frame.insert(1, "name", frame["tags.mlflow.runName"])
    names = [name for name in frame.columns if name.startswith(("params.", "metrics.", "tags."))]
    order = {"params": 0, "metrics": 1, "tags": 2}
    names.sort(key=lambda name: (order[name.partition(".")[0]], name))
    frame = frame[[*FIRST, *names]]
    if file.suffix == ".parquet":
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False)


PROGRAMS: dict[str, Callable[[str, Path], None]] = {
    "optibench": by_optibench,
    "pandas": by_pandas,
}


def measured(program: Callable[[str, Path], None], uri: str, file: Path) -> dict[str, float]:
    """Run one export in this process; return its time, and CPU and peak memory of the process."""
    begin = time.perf_counter()
    program(uri, file)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    peak_mib = int(peak.split()[1]) / 1024
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib}


def table(uri: str, folder: Path, form: str, options: argparse.Namespace) -> str:
    """Measure both programs in interleaved rounds; return medians, ranges and ratios."""
    files = {name: folder / f"{name}.{form}" for name in PROGRAMS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PROGRAMS}
    for number in range(options.rounds):
        names = list(PROGRAMS) if number % 2 == 0 else list(reversed(PROGRAMS))
        for name in names:
            found[name].append(started(name, uri, files[name]))
            print(f"{form} round {number + 1}  {name}  {found[name][-1]}", file=sys.stderr)
    check(files)
    lines = [
        f"{form}, {options.runs} runs, medians of {options.rounds} rounds (smallest to largest)"
    ]
    for name, outcomes in found.items():
        lines += [
            f"  {name:10} {key:12} {described([one[key] for one in outcomes])}" for key in FIGURES
        ]
    for key in FIGURES:
        ratios = [
            b[key] / a[key] for a, b in zip(found["optibench"], found["pandas"], strict=True)
        ]
        lines.append(f"  {'ratio':10} {key:12} {described(ratios)}")
    return "\n".join(lines)


def started(name: str, uri: str, file: Path) -> dict[str, float]:
    """Run one export in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.export", "--one", name, uri, str(file)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    outcome: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return outcome


def check(files: dict[str, Path]) -> None:
    """Compare the two tables: the same columns in the same order, and the same numbers."""
    ours, theirs = (read(files[name]) for name in ("optibench", "pandas"))
    numbers = [name for name in theirs if name.startswith("metrics.")]
    same = list(ours) == list(theirs) and ours[numbers].equals(theirs[numbers])
    if not same or list(ours["run_id"]) != list(theirs["run_id"]):
        message = "The two exports do not hold the same table."
        raise SystemExit(message)


def read(file: Path) -> pd.DataFrame:
    """Read an export back."""
    import pandas as pd

    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    return pd.read_csv(file)


def described(values: list[float]) -> str:
    """Write the median and the range of a few values."""
    return f"{median(values):8.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
