"""Spark's event log: where a session writes it, and what it says of tasks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ON = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    # A job of Spark ML writes 42 KB, 6 KB compressed, in 3 ms of a thread of the JVM.
    "spark.eventLog.compress": "true",
    "spark.eventLog.compression.codec": "zstd",
    # The metrics of a task a second time, under other names.
    "spark.eventLog.includeTaskMetricsAccumulators": "false",
}
HEARD_MS = 20_000
NUMBERED = re.compile(r'\{"Event":"SparkListener(JobStart","Job|TaskEnd","Stage) ID":(\d+),')
SQL_START = '{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionStart"'
NO_PLACE = ("$anonfun", "count at NativeMethodAccessorImpl")  # names that say nothing


def settings(folder: str) -> dict[str, str]:
    """Properties of a session that writes its log into a folder of the driver."""
    return {**ON, "spark.eventLog.dir": Path(folder).as_uri()}


@dataclass(frozen=True)
class StageOfJob:
    """A stage as its job begins.

    Attributes:
        name: what the driver called, and where.
    """

    job: int
    name: str


@dataclass
class EventLog:
    """The events of a session's jobs from `first_job` on.

    Attributes:
        stages: by their number, as the latest job has them that names them.
    """

    first_job: int
    stages: dict[int, StageOfJob] = field(default_factory=dict)
    _queries: dict[str, str] = field(default_factory=dict)

    def tasks(self, lines: Iterable[str]) -> Iterator[tuple[StageOfJob, dict[str, Any]]]:
        """Each task that ended, however it did, with its stage; other lines are not parsed."""
        for line in lines:
            found = NUMBERED.match(line)
            if found is None:
                if line.startswith(SQL_START):
                    query = json.loads(line)
                    self._queries[str(query["executionId"])] = query["description"]
            elif found[1].startswith("Job"):
                if int(found[2]) >= self.first_job:
                    self._begin(json.loads(line))
            elif (stage := self.stages.get(int(found[2]))) is not None:
                yield stage, json.loads(line)

    def _begin(self, job: dict[str, Any]) -> None:
        query = self._queries.get(job["Properties"].get("spark.sql.execution.id", ""))
        for stage in job["Stage Infos"]:
            name = str(stage["Stage Name"])
            if query is not None and name.startswith(NO_PLACE):
                name = query
            place = re.sub(r" at \S*/", " at ", name)
            self.stages[stage["Stage ID"]] = StageOfJob(job["Job ID"], place)


def files(context: Any) -> list[Path]:
    """The files of a running session's log, in order, once all is in them that has happened.

    Raises:
        FileNotFoundError: there are none that can be read here, with the reason.
    """
    java, conf = context._jsc.sc(), context.getConf()
    get: Callable[[str, str], str] = conf.get
    if get("spark.eventLog.enabled", "false") != "true":
        msg = "backend.conf.spark.eventLog.enabled=false: Spark writes no event log"
        raise FileNotFoundError(msg)
    place = urlsplit(str(java.eventLogDir().get()))
    if place.scheme not in ("", "file"):
        msg = f"Spark's event log is not read where it lies, at {place.scheme}:"
        raise FileNotFoundError(msg)
    if get("spark.eventLog.compress", "true") == "true":
        codec = get("spark.eventLog.compression.codec", "zstd")
        if codec != "zstd":
            msg = f"Spark's event log is not read with spark.eventLog.compression.codec={codec}"
            raise FileNotFoundError(msg)
    java.listenerBus().waitUntilEmpty(HEARD_MS)
    folder, application = Path(unquote(place.path)), context.applicationId
    rolled = folder.glob(f"eventlog_v2_{application}/events_*_{application}*")
    found = sorted(rolled, key=lambda path: int(path.name.split("_")[1]))
    found = found or sorted(folder.glob(f"{application}*"))
    if not found:
        msg = f"Spark's event log is not in {folder}"
        raise FileNotFoundError(msg)
    return found


def lines_of(paths: Iterable[Path]) -> Iterator[str]:
    """Line by line, as far as it is written."""
    import pyarrow as pa

    for path in paths:
        codec = "zstd" if ".zstd" in path.name else None
        with pa.input_stream(str(path), compression=codec) as stream:
            left = b""
            while block := stream.read(1 << 20):
                *whole, left = (left + block).split(b"\n")
                yield from (line.decode() for line in whole)
