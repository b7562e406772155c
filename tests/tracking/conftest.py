"""One real SQLite store for this folder, and records to write into it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from optibench.records import CandidateResult, Dataset, RunHeader, Status
from optibench.tracking import MlflowTracker, prepare_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from optibench.tracking import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return prepare_store(None, tmp_path_factory.mktemp("store"))


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(
        name="toy",
        X=np.arange(12.0).reshape(6, 2),
        y=np.array([0, 1, 0, 1, 0, 1]),
        feature_names=("a", "b"),
        classes=("no", "yes"),
        categories={},
        source="builtin:toy",
        digest="ab" * 32,
        target="label",
    )


@pytest.fixture
def header(dataset: Dataset) -> RunHeader:
    return RunHeader(
        name="kmeans-sklearn-grid-toy",
        params={"model": "kmeans", "tracking.uri": "http://bob:pw@h", "none": None, "flag": True},
        tags={"optibench.kind": "benchmark", "optibench.version": "0"},
        dataset=dataset,
        start=time.time() - 5,
    )


@pytest.fixture
def tracker(store: Store, request: pytest.FixtureRequest) -> MlflowTracker:
    return MlflowTracker(store, request.node.name)


@pytest.fixture
def candidate() -> Callable[..., CandidateResult]:
    """Make the candidate of a number: two metrics, and a failed one where an error is given."""

    def make(
        number: int, status: Status = Status.FINISHED, error: str | None = None
    ) -> CandidateResult:
        score = float("nan") if error else 0.5 + number / 1000
        return CandidateResult(
            number=number,
            params={"n_clusters": 2 + number, "init": "k-means++", "random": None},
            mean_scores={"silhouette": score, "inertia": 3.5},
            std_scores={"silhouette": 0.0, "inertia": 0.25},
            rank=number + 1,
            mean_fit_seconds=0.25,
            mean_score_seconds=0.125,
            cpu_seconds=1.5,
            standalone_cpu_seconds=4.5,
            reused_fits=2,
            start=1_700_000_000.5 + number,
            end=1_700_000_003.25 + number,
            status=status,
            error=error,
        )

    return make
