"""Spark's event log: where a session writes it, and what it records about tasks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from optibench.backends.spark import jvm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyspark import SparkContext

PROPERTIES = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    # A job of Spark ML writes 42 KB, 6 KB compressed, in 3 ms of a thread of the JVM.
    "spark.eventLog.compress": "true",
    "spark.eventLog.compression.codec": "zstd",
    # They repeat the metrics of a task under other names.
    "spark.eventLog.includeTaskMetricsAccumulators": "false",
}
FLUSH_MS = 20_000  # time for the log to receive all events
JOB_OR_TASK = re.compile(r'\{"Event":"SparkListener(JobStart","Job|TaskEnd","Stage) ID":(\d+),')
SQL_START = '{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"'
UNSPECIFIC = ("$anonfun", "count at NativeMethodAccessorImpl")  # names without information


def settings(folder: str) -> dict[str, str]:
    """Return the properties of a session that writes its log into a folder of the driver."""
    return {**PROPERTIES, "spark.eventLog.dir": Path(folder).as_uri()}


@dataclass(frozen=True)
class StageOfJob:
    """A stage when its job starts.

    Attributes:
        name: the call in the driver, and its location.
    """

    job: int
    name: str


@dataclass
class EventLog:
    """The events of a session's jobs from `first_job` on.

    Attributes:
        stages: by number; a stage of several jobs belongs to the latest.
    """

    first_job: int
    stages: dict[int, StageOfJob] = field(default_factory=dict)
    _queries: dict[str, str] = field(default_factory=dict)

    def tasks(self, lines: Iterable[str]) -> Iterator[tuple[StageOfJob, dict[str, Any]]]:
        """Yield each ended task, failed ones too, with its stage; do not parse other lines."""
        for line in lines:
            match = JOB_OR_TASK.match(line)
            if match is None:
                if line.startswith(SQL_START):
                    query = json.loads(line)
                    self._queries[str(query["executionId"])] = query["description"]
            elif match[1].startswith("Job"):
                if int(match[2]) >= self.first_job:
                    self._begin(json.loads(line))
            elif (stage := self.stages.get(int(match[2]))) is not None:
                yield stage, json.loads(line)

    def _begin(self, job: dict[str, Any]) -> None:
        query = self._queries.get(job["Properties"].get("spark.sql.execution.id", ""))
        for stage in job["Stage Infos"]:
            name = str(stage["Stage Name"])
            if query is not None and name.startswith(UNSPECIFIC):
                name = query
            short_name = re.sub(r" at \S*/", " at ", name)
            self.stages[stage["Stage ID"]] = StageOfJob(job["Job ID"], short_name)


def files(context: SparkContext) -> list[Path]:
    """Return the files of a running session's log, in order, once all events are written.

    Raises:
        FileNotFoundError: no file can be read here; the message gives the reason.
    """
    get: Callable[[str, str], str] = context.getConf().get
    if get("spark.eventLog.enabled", "false") != "true":
        msg = "backend.conf.spark.eventLog.enabled=false: Spark writes no event log"
        raise FileNotFoundError(msg)
    location = urlsplit(jvm.event_log_folder(context))
    if location.scheme not in ("", "file"):
        msg = f"Spark's event log cannot be read at {location.scheme}: (only on a local disk)"
        raise FileNotFoundError(msg)
    if get("spark.eventLog.compress", "true") == "true":
        codec = get("spark.eventLog.compression.codec", "zstd")
        if codec != "zstd":
            msg = f"Spark's event log cannot be read with spark.eventLog.compression.codec={codec}"
            raise FileNotFoundError(msg)
    jvm.flush_events(context, FLUSH_MS)
    folder, application = Path(unquote(location.path)), context.applicationId
    rolled = folder.glob(f"eventlog_v2_{application}/events_*_{application}*")
    found = sorted(rolled, key=lambda path: int(path.name.split("_")[1]))
    found = found or sorted(folder.glob(f"{application}*"))
    if not found:
        msg = f"Spark's event log is not in {folder}"
        raise FileNotFoundError(msg)
    return found


def lines_of(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the complete lines that are written so far."""
    import pyarrow as pa

    for path in paths:
        codec = "zstd" if ".zstd" in path.name else None
        with pa.input_stream(str(path), compression=codec) as stream:
            rest = b""
            while block := stream.read(1 << 20):
                *whole, rest = (rest + block).split(b"\n")
                yield from (line.decode() for line in whole)
