"""Turns our records into what MLflow stores, within its limits and without its silent changes.

MLflow stores inf as 1.797e308 and None as the text 'None', cuts values and rejects some keys.
Here each of these is decided knowingly, and everything is redacted.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow.entities import Dataset as MlflowDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag

from optibench.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from optibench.records import Dataset, Sample

PARAM_LENGTH = 6000
TAG_LENGTH = 8000
SCHEMA_LENGTH = 1_000_000
DIGEST_LENGTH = 36
SERIES_POINTS = 1000  # as many as MLflow's charts draw; resources/samples.csv has every sample

Item = TypeVar("Item")

_CUT = " ... [cut; in full in config.yaml]"
_FORBIDDEN = re.compile(r"[^\w.\-: /]")


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split into pieces of at most `size`, which is how much MLflow takes at once."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def params_of(values: Mapping[str, Any]) -> list[Param]:
    """Parameters with redacted values in YAML's spelling: null, true, 0.1, [a, b] as JSON."""
    clean = redact(dict(values))
    return [Param(key, _cut(text_of(clean[name]), PARAM_LENGTH)) for name, key in _keys(clean)]


def mlflow_tags(values: Mapping[str, str]) -> list[RunTag]:
    """Tags with redacted values."""
    clean = redact(dict(values))
    return [RunTag(key, _cut(str(clean[name]), TAG_LENGTH)) for name, key in _keys(clean)]


def metrics_of(values: Mapping[str, float], time: float) -> tuple[list[Metric], list[RunTag]]:
    """The finite metrics, and for every other one a tag that says nan or inf.

    Args:
        values: metrics by name; the tags are called `optibench.undefined.<metric>`.
        time: of the measurement, seconds since the epoch.
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
    """Resource samples as series; a point of a long run is the largest of its stretch."""
    series = {
        # These two names make MLflow show the series under "System metrics".
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
    """The data as a dataset input, with our own digest: MLflow would hash the table again."""
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


def text_of(value: Any) -> str:
    """A parameter's value as text, spelled as in config.yaml."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def plain_label(label: Any) -> bool | int | float | str:
    """A class label as JSON knows it: numpy's numbers as Python's, the unknown as text."""
    value = label.item() if hasattr(label, "item") else label
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def label_type(classes: Iterable[Any]) -> str:
    """MLflow's name for the type of class labels."""
    labels = [plain_label(label) for label in classes]
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double")):
        if labels and all(type(label) is kind for label in labels):
            return name
    return "string"


def milliseconds(time: float) -> int:
    """Seconds since the epoch as MLflow's whole milliseconds."""
    return round(time * 1000)


def _keys(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pair each name with the key that MLflow takes for it, the same key never twice."""
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
    stretch = math.ceil(len(points) / SERIES_POINTS) or 1
    return [max(part, key=lambda point: point[1]) for part in chunks(points, stretch)]
