"""`optibench ui`: a server on this machine that goes away with its command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest
from tests.processes import heed_ctrl_c

import optibench
from optibench.report.ui import main
from optibench.tracking import prepare_store
from optibench.tracking.store import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "import sys; from optibench.report.ui import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(autouse=True)
def _no_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(path: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 250
    while text not in path.read_text():
        assert process.poll() is None, path.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Served(NamedTuple):
    """A program that serves the UI, and the file that has its stderr."""

    process: subprocess.Popen[bytes]
    port: int
    remarks: Path


@pytest.fixture(scope="module")
def served(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[signal.Signals, Served]]:
    """One program for each signal that can end it; they start at the same time."""
    folder, programs = tmp_path_factory.mktemp("ui"), {}
    environment = {**os.environ, "PYTHONPATH": str(Path(optibench.__file__).parents[1])}
    environment.pop("MLFLOW_TRACKING_URI", None)
    for number in (signal.SIGINT, signal.SIGTERM):
        remarks, port = folder / number.name, free_port()
        with remarks.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, "--port", str(port)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=root,
                env=environment,
                preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it sets a handler and nothing else
            )
        programs[number] = Served(process, port, remarks)
    yield programs
    for program in programs.values():
        program.process.terminate()
        program.process.communicate(timeout=100)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_ui_is_served_and_leaves_no_process(
    served: dict[signal.Signals, Served],
    number: signal.Signals,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    process, port, remarks = served[number]
    try:
        wait_for(remarks, f"http://127.0.0.1:{port}", process)
        fit_group = psutil.Process(process.pid).children(recursive=True)
        assert not [word for child in fit_group for word in child.cmdline() if "sqlite" in word]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"MLflow" in page.read()
        ends_a_run_on_the_server_without_a_word(port, tmp_path, capfd)
    finally:
        process.send_signal(number)
        out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert out == b""
    assert len(fit_group) <= 4
    assert not [child for child in fit_group if child.is_running()]


def ends_a_run_on_the_server_without_a_word(
    port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow prints the address of every run that ends on a server; ours must not."""
    client = prepare_store(f"http://127.0.0.1:{port}", tmp_path).client()
    with translated("end a run"):
        client.set_terminated(client.create_run("0").info.run_id)
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_reported(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    assert f"--port {port}" in capsys.readouterr().err


def test_a_missing_store_is_not_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert "no tracking store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_has_its_own_ui(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--uri", "http://bob:pw@tracking:5000"]) == 2
    assert "http://***@tracking:5000 is a server" in capsys.readouterr().err
