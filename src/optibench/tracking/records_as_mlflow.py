"""Translates OptiBench's records into MLflow's, within MLflow's limits.

MLflow silently stores inf as 1.797e308 and None as the text 'None', cuts long values and rejects
some keys. This module handles each of these cases explicitly, and redacts every value.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from mlflow.entities import Dataset as MlflowDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag

from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from optibench.records import CandidateResult, Dataset, Sample, Status

BATCH_SIZE = 100  # parameters or tags in one request
METRICS_BATCH_SIZE = 1000
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
SCHEMA_LENGTH = 1_000_000
DIGEST_LENGTH = 36
SERIES_POINTS = 1000  # MLflow's charts draw no more; resources/samples.csv has every sample

Item = TypeVar("Item")

_CUT = " ... [cut; in full in config.yaml]"
_FORBIDDEN = re.compile(r"[^\w.\-: /]")


@dataclass(frozen=True)
class NestedRun:
    """One candidate as an MLflow run. Times are milliseconds since the epoch."""

    name: str
    start: int
    end: int
    status: Status
    params: list[Param]
    metrics: list[Metric]
    tags: list[RunTag]


def nested_run(metric: str, candidate: CandidateResult, tags: Mapping[str, str]) -> NestedRun:
    """Describe a candidate as a nested run.

    Args:
        metric: the metric that `rank_test_score` ranks by.
        candidate: as the search returned it.
        tags: the tags that all nested runs of the parent share: parent, user, source.
    """
    values = {f"mean_test_{name}": value for name, value in candidate.mean_scores.items()}
    values |= {f"std_test_{name}": value for name, value in candidate.std_scores.items()}
    values |= {
        "rank_test_score": candidate.rank,
        "mean_fit_seconds": candidate.mean_fit_seconds,
        "mean_score_seconds": candidate.mean_score_seconds,
        "cpu_seconds": candidate.cpu_seconds,
        "standalone_cpu_seconds": candidate.standalone_cpu_seconds,
        "reused_fits": candidate.reused_fits,
    }
    if candidate.budget < 1.0:
        values["budget"] = candidate.budget
    own = {
        "optibench.kind": "candidate",
        "optibench.candidate": str(candidate.number),
        "optibench.metric": metric,
    }
    if candidate.error:
        own["optibench.reason"] = candidate.error
    metrics, undefined = metrics_of(values, candidate.end)
    return NestedRun(
        name=f"candidate-{candidate.number}",
        start=milliseconds(candidate.start),
        end=milliseconds(candidate.end),
        status=candidate.status,
        params=params_of(candidate.params),
        metrics=metrics,
        tags=mlflow_tags({**tags, **own}) + undefined,
    )


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split a sequence into pieces of at most `size` items."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def params_of(values: Mapping[str, object]) -> list[Param]:
    """Convert values to parameters: redacted, and spelled as in YAML (null, true, 0.1, [a, b])."""
    clean = redact(dict(values))
    return [Param(key, _cut(text_of(clean[name]), PARAM_LENGTH)) for name, key in _keys(clean)]


def mlflow_tags(values: Mapping[str, str]) -> list[RunTag]:
    """Convert values to tags, redacted."""
    clean = redact(dict(values))
    return [RunTag(key, _cut(str(clean[name]), TAG_LENGTH)) for name, key in _keys(clean)]


def metrics_of(values: Mapping[str, float], time: float) -> tuple[list[Metric], list[RunTag]]:
    """Convert finite values to metrics, and each other one to a tag that says nan or inf.

    Args:
        values: metrics by name; the tags are called `optibench.undefined.<metric>`.
        time: when they were measured, in seconds since the epoch.
    """
    finite, undefined = [], []
    for name, key in _keys(values):
        value = float(values[name])
        if math.isfinite(value):
            finite.append(Metric(key, value, milliseconds(time), 0))
        else:
            undefined.append(RunTag(f"optibench.undefined.{key}"[:250], str(value)))
    return finite, undefined


def series_of(samples: Sequence[Sample]) -> list[Metric]:
    """Convert resource samples to series of at most `SERIES_POINTS` points.

    Each point of a longer series is the largest sample of its interval.
    """
    series = {
        # MLflow shows series with these two names under "System metrics".
        "system/cpu_utilization_percentage": [(s.time, s.cpu_percent) for s in samples],
        "system/system_memory_usage_percentage": [(s.time, s.memory_percent) for s in samples],
        "system/rss_bytes": [(s.time, float(s.rss_bytes)) for s in samples],
        "system/pss_bytes": [
            (s.time, float(s.pss_bytes)) for s in samples if s.pss_bytes is not None
        ],
        "system/processes": [(s.time, float(s.processes)) for s in samples],
    }
    return [
        Metric(key, value, milliseconds(time), step)
        for key, points in series.items()
        for step, (time, value) in enumerate(_thinned(points))
        if math.isfinite(value)
    ]


def dataset_input_of(dataset: Dataset) -> DatasetInput:
    """Describe the data as a dataset input, with the digest already known.

    MLflow's own `log_input` would hash the table again.
    """
    columns = [
        {"type": "double", "name": name, "required": True} for name in dataset.feature_names
    ]
    if dataset.target is not None:
        kind = label_type(dataset.classes) if dataset.classes else "double"
        columns.append({"type": kind, "name": dataset.target, "required": True})
    schema = json.dumps({"mlflow_colspec": columns})
    n_samples, n_features = dataset.n_samples, dataset.X.shape[1]
    builtin = "://" not in dataset.source and dataset.source.startswith("builtin:")
    source = (
        {"tags": {"mlflow.source.name": dataset.source}}
        if builtin
        else {"uri": redact(dataset.source)}
    )
    entity = MlflowDataset(
        name=dataset.name[:500],
        digest=dataset.digest[:DIGEST_LENGTH],
        source_type="code" if builtin else "local",
        source=json.dumps(source),
        schema=schema if len(schema) <= SCHEMA_LENGTH else None,
        profile=json.dumps({"num_rows": n_samples, "num_elements": n_samples * n_features}),
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", "training")])


def text_of(value: object) -> str:
    """Spell a parameter's value as config.yaml does."""
    value = _plain(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def plain_label(label: object) -> bool | int | float | str:
    """Convert a class label to a JSON value; a type that JSON lacks becomes text."""
    value = _plain(label)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def label_type(classes: Iterable[object]) -> str:
    """Return MLflow's name for the type of class labels."""
    labels = [plain_label(label) for label in classes]
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double")):
        if labels and all(type(label) is kind for label in labels):
            return name
    return "string"


def milliseconds(time: float) -> int:
    """Convert seconds since the epoch to MLflow's whole milliseconds."""
    return round(time * 1000)


def _plain(value: object) -> object:
    """Convert a numpy scalar to Python's own type."""
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        plain: object = value.item()
        return plain
    return value


def _keys(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair each name with a key that MLflow accepts; no two keys are equal."""
    taken: set[str] = set()
    for name in values:
        key = _FORBIDDEN.sub("_", str(name)).strip("/").replace("//", "/")[:240] or "_"
        number, stem = 2, key
        while key in taken:
            key, number = f"{stem}_{number}", number + 1
        taken.add(key)
        yield name, key


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    width = math.ceil(len(points) / SERIES_POINTS) or 1
    return [max(part, key=lambda point: point[1]) for part in chunks(points, width)]
