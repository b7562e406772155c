"""Models trained on a table of four times the memory that the engine was given.

    python -m benchmarks.larger_than_memory                        both models on both engines
    python -m benchmarks.larger_than_memory --rows 1000000         a smaller table, for a try
    python -m benchmarks.larger_than_memory --memory 2000MB --rows 16800000

The table is generated in Parquet files; its size is that of its values in the files, float32. Each
row of the comparison is one run of the program with `backend.parallelism=data`, once on the first
quarter of the files and once on all of them. Told are the highest resident memory of a worker
(mapped pages of its files count, as they do for Dask's own limit), what of it is private, and the
same of the driver: what the driver takes must not grow with the table.

Dask's nanny ends a worker above its limit. Spark's JVM has its heap (spark.driver.memory), with
everything that Spark itself holds; its Python workers are told their part (backend.memory_limit)
and held to it by what is measured here alone.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.tables import make_table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS, COLUMNS, FILES = 8_400_000, 250, 16
WORKERS, MEMORY = 2, "1000MB"
TABLES = ("quarter", "whole")
LOOK_SECONDS = 0.2
LAST_WORDS = 10_000  # characters of the logs of a run that failed
MB = 10**6
MODELS = {
    "xgboost": ["model=xgboost", "+model.params.n_estimators=10", "+model.params.max_depth=6"],
    "kmeans": [
        "model=kmeans",
        "dataset.drop=[label]",
        "dataset.target=null",
        "+model.params.n_clusters=8",
        "+model.params.init=random",
        "+model.params.n_init=1",
        "+model.params.max_iter=5",
        "evaluation.silhouette_sample=2000",
    ],
}
ENGINES = {
    "dask": ["backend=dask", "backend.memory_limit={memory}"],
    "spark": [
        "backend=spark",
        "backend.memory_limit={megabytes}m",
        "+backend.conf.spark.driver.memory={megabytes}m",
    ],
}


@dataclass
class Peak:
    """The most that one process has had, in bytes."""

    resident: int = 0
    private: int = 0

    def add(self, resident: int, private: int) -> None:
        """Take one look into account."""
        self.resident, self.private = max(self.resident, resident), max(self.private, private)


@dataclass
class Watch:
    """Looks at a program and the processes below it until it ends.

    Attributes:
        driver: the program itself.
        jvm: Spark's.
        workers: by pid, the processes that have other roles.
    """

    driver: Peak = field(default_factory=Peak)
    jvm: Peak = field(default_factory=Peak)
    workers: dict[int, Peak] = field(default_factory=dict)

    def follow(self, program: subprocess.Popen[str]) -> None:
        """Look five times a second."""
        root = psutil.Process(program.pid)
        while program.poll() is None:
            for process in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error, OSError):
                    self._look(process, root)
            time.sleep(LOOK_SECONDS)

    def _look(self, process: psutil.Process, root: psutil.Process) -> None:
        text = Path(f"/proc/{process.pid}/status").read_text()
        bytes_of = {k: int(v) * 1024 for k, v in re.findall(r"(\w+):\s+(\d+) kB", text)}
        if "VmRSS" not in bytes_of:
            return
        peak = self.workers.setdefault(process.pid, Peak())
        if process.pid == root.pid:
            peak = self.driver
        elif process.name() == "java":
            peak = self.jvm
        peak.add(bytes_of["VmRSS"], bytes_of["RssAnon"])

    @property
    def largest(self) -> Peak:
        """Of the workers, whichever it was."""
        return max(self.workers.values(), key=lambda peak: peak.resident, default=Peak())


@contextlib.contextmanager
def tables(folder: Path | None, rows: int, columns: int) -> Iterator[dict[str, Path]]:
    """Give the first quarter of the files, and all of them."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            passing = tempfile.TemporaryDirectory(prefix="optibench-table-", dir=Path.cwd())
            folder = Path(stack.enter_context(passing))
        whole, quarter = folder / "whole", folder / "quarter"
        if not whole.exists():
            whole.mkdir(parents=True)
            quarter.mkdir()
            make_table(whole, rows, columns, files=FILES)
            for number in range(FILES // 4):
                (quarter / f"{number:03d}.parquet").hardlink_to(whole / f"{number:03d}.parquet")
        yield {"quarter": quarter, "whole": whole}


def run(model: str, engine: str, table: Path, memory: str) -> tuple[Watch, float, str]:
    """One run of the program: what its processes had, its seconds, and what it printed.

    Raises:
        SystemExit: it failed; a table that was not trained on has no memory to tell.
    """
    megabytes = int(memory.removesuffix("MB"))
    sizes = {"memory": memory, "megabytes": megabytes}
    words = [
        *MODELS[model],
        *(word.format(**sizes) for word in ENGINES[engine]),
        f"backend.workers={WORKERS}",
        "backend.parallelism=data",
        "dataset=parquet",
        f"dataset.path={table.absolute()}",
        *(["dataset.target=label"] if model == "xgboost" else []),
        "search=none",
        "evaluation.default_fit=false",
        "profiling=off",
    ]
    with tempfile.TemporaryDirectory(prefix="optibench-run-") as place:
        watch, begin = Watch(), time.perf_counter()
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "optibench", *words],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as program:
            follower = threading.Thread(target=watch.follow, args=(program,))
            follower.start()
            told, _ = program.communicate()
            follower.join()
        seconds = time.perf_counter() - begin
        if program.returncode:
            logs = Path(place).glob("mlruns/artifacts/*/artifacts/logs/*")
            last = "\n".join(log.read_text()[-LAST_WORDS:] for log in logs)
            message = f"{last}\n{told}\n{model} on {engine} failed after {seconds:.0f} s"
            raise SystemExit(message)
    return watch, seconds, told


def main() -> None:
    """Measure and print one line per engine, model and table."""
    parser = argparse.ArgumentParser(prog="benchmarks.larger_than_memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--memory", default=MEMORY, help="of each worker, such as 600MB")
    parser.add_argument("--folder", type=Path, help="where the table is, or is made and kept")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    options = parser.parse_args()
    size = options.rows * (options.columns * 4 + 1)
    given = WORKERS * int(options.memory.removesuffix("MB")) * MB
    print(
        f"{options.rows:,} rows x {options.columns}: {size / MB:,.0f} MB in files, "
        f"{size / given:.1f} x the {given / MB:,.0f} MB of {WORKERS} workers"
    )
    print("engine model   table    seconds | MB: worker (private)  JVM    driver (private)")
    with tables(options.folder, options.rows, options.columns) as folders:
        for engine in options.engines:
            for model in options.models:
                for name in options.tables:
                    watch, seconds, told = run(model, engine, folders[name], options.memory)
                    worker, jvm, driver = watch.largest, watch.jvm, watch.driver
                    print(
                        f"{engine:6} {model:7} {name:8} {seconds:7.0f} |    "
                        f"{worker.resident / MB:7.0f} ({worker.private / MB:5.0f})  "
                        f"{jvm.resident / MB:6.0f} {driver.resident / MB:6.0f} "
                        f"({driver.private / MB:5.0f})",
                        flush=True,
                    )
                    print("\n".join(told.strip().splitlines()[-8:]), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
