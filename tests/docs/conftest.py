"""One session of the tutorial, for all tests that look at what came of it."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from tests.docs.pages import ROOT, blocks, console_commands

STATUS = "echo $?"


class Step(NamedTuple):
    """A command or a Python block of the tutorial, and what the page shows below it."""

    kind: str
    text: str
    shown: list
    code: int


class Session(NamedTuple):
    """The tutorial as it was run: its steps, their results, and the directory."""

    steps: list
    results: list
    folder: object


def tutorial_steps():
    """Return the steps of the tutorial; `echo $?` says how the command before it ends."""
    steps = []
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language == "python":
            steps.append(Step("python", block.text, [], 0))
        for command in console_commands(block) if block.language == "console" else ():
            if command.text == STATUS:
                steps[-1] = steps[-1]._replace(code=int(command.shown[0]))
            else:
                steps.append(Step("command", command.text, command.shown, 0))
    return steps


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory):
    """Run all commands of the tutorial in a fresh directory."""
    folder, files = tmp_path_factory.mktemp("tutorial"), tmp_path_factory.mktemp("steps")
    steps = tutorial_steps()
    told = [{"kind": step.kind, "text": step.text} for step in steps]
    (files / "steps.json").write_text(json.dumps(told))
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
        command, cwd=folder, env={**kept, "PYTHONPATH": str(ROOT)}, check=True, timeout=240
    )
    results = json.loads((files / "results.json").read_text())
    return Session(steps, results, folder)
