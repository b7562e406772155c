"""A real store with benchmark runs of awkward content, written through MLflow itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

if TYPE_CHECKING:
    from pathlib import Path

AWKWARD = 'a,b "c"\nd | ünï <x> \\ & $1_%'
TRIALS = {
    0: 'candidate,max_depth,fold,accuracy,worker,error\n0,3,0,0.75,w1,\n0,3,1,nan,w2,"a, ""b"""\n',
    2: "candidate,eta,fold,accuracy,worker,error\n0,0.1,0,1.0,007,\n",
}


@pytest.fixture
def awkward() -> str:
    """A text with everything that some format has to escape."""
    return AWKWARD


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose store has three benchmark runs, a nested run and a stranger."""
    root = tmp_path_factory.mktemp("root")
    (root / "mlruns").mkdir()
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    location = (root / "mlruns" / "artifacts").as_uri()
    for name, number in (("optibench", 0), ("optibench", 1), ("other", 2)):
        experiment = client.get_experiment_by_name(name)
        identity = (
            experiment.experiment_id
            if experiment
            else client.create_experiment(name, artifact_location=location)
        )
        run = client.create_run(
            identity,
            start_time=1_700_000_000_000 + number,
            tags={"optibench.kind": "benchmark", "awkward": AWKWARD, "empty": ""},
            run_name=f"run {number}",
        )
        client.log_batch(
            run.info.run_id,
            metrics=[
                Metric("accuracy", 0.1 + number / 3, 1, 0),
                Metric(f"only_{number}", 1, 1, 0),
            ],
            params=[Param("long", "x" * 5000), Param(f"p{number}", "007")],
        )
        if number in TRIALS:
            client.log_text(run.info.run_id, TRIALS[number], "trials.csv")
        client.set_terminated(run.info.run_id, "FINISHED")
        child = client.create_run(identity, tags={"optibench.kind": "candidate"})
        client.set_terminated(child.info.run_id)
    client.create_run(identity)
    return root
