"""One session of the tutorial, for all tests that look at what came of it."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from tests.docs.pages import ROOT, tutorial_steps


class Session(NamedTuple):
    """The tutorial as it was run: its steps, their results, and the directory."""

    steps: list
    results: list
    folder: object


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory):
    """Run all commands of the tutorial in a fresh directory."""
    folder, files = tmp_path_factory.mktemp("tutorial"), tmp_path_factory.mktemp("steps")
    steps = tutorial_steps()
    recorded = [{"kind": step.kind, "text": step.text} for step in steps]
    (files / "steps.json").write_text(json.dumps(recorded))
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "OPTIBENCH", "HYDRA"))
    }
    command = [
        sys.executable,
        "-m",
        "tests.docs.one_process",
        files / "steps.json",
        files / "results.json",
    ]
    subprocess.run(
        command, cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)}, check=True, timeout=380
    )
    results = json.loads((files / "results.json").read_text())
    return Session(steps, results, folder)
