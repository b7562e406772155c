"""The page on measurement describes every number that a run leaves."""

import csv
import re
import sqlite3

import pytest
from tests.docs.pages import ROOT, SPAN

from optibench.evaluation.scoring import METRICS

pytestmark = [pytest.mark.dask, pytest.mark.slow, pytest.mark.timeout(400)]

PAGE = (ROOT / "docs" / "measurement.md").read_text(encoding="utf-8")
ALL_METRICS = "|".join(metric for metrics in METRICS.values() for metric in metrics)
PHASE = re.compile(
    r"(?:startup|load|split|search|fit|score|tracking)_"
    r"(?=(?:cpu_percent|memory_percent|cpu_seconds|peak_memory_bytes)$)"
)


def documented():
    """Return a pattern of the names in code spans; `<metric>` stands for each metric."""
    patterns = []
    for span in SPAN.findall(PAGE):
        parts = re.split(r"(<\w+>)", span)
        texts = {"<metric>": f"(?:{ALL_METRICS})"}
        patterns.append(
            "".join(texts.get(p, r"[\w.-]+" if p[:1] == "<" else re.escape(p)) for p in parts)
        )
    return re.compile("|".join(patterns))


def undescribed(names):
    pattern = documented()
    return sorted(name for name in names if not pattern.fullmatch(PHASE.sub("", name)))


def test_every_metric_of_runs_and_nested_runs_is_described(tutorial):
    with sqlite3.connect(tutorial.folder / "mlruns" / "mlflow.db") as database:
        names = {name for (name,) in database.execute("select distinct key from latest_metrics")}

    assert {"search_cpu_seconds", "mean_test_roc_auc", "baseline_f1"} <= names
    assert undescribed(names) == []


def test_every_tag_is_described(tutorial):
    with sqlite3.connect(tutorial.folder / "mlruns" / "mlflow.db") as database:
        names = {name for (name,) in database.execute("select distinct key from tags")}
    ours = {name for name in names if name.startswith("optibench.")}

    assert "optibench.machine" in ours
    assert undescribed(ours - {"optibench.candidate", "optibench.metric"}) == []


def test_every_column_of_trials_is_described(tutorial):
    (path,) = list((tutorial.folder / "mlruns" / "artifacts").glob("*/artifacts/trials.csv"))[:1]
    with path.open(newline="") as file:
        names = next(csv.reader(file))

    hyperparameters = {"eta", "max_depth", "n_estimators", "subsample"}
    assert undescribed(set(names) - hyperparameters) == []


def test_every_artifact_is_described(tutorial):
    artifacts = tutorial.folder / "mlruns" / "artifacts"
    files = [path for path in artifacts.glob("*/artifacts/**/*") if path.is_file()]
    names = {str(path.relative_to(artifacts)).split("/artifacts/", 1)[1] for path in files}

    assert "trials.csv" in names
    assert undescribed(name for name in names if not name.startswith(("logs/", "model/"))) == []
