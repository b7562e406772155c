"""The program as a user calls it, in a fresh directory.

Refusals and plans are called in this process, because a process of their own costs seconds of
imports each. Whatever imports, signals, crashes or measures has a process of its own.
"""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from tests.processes import heed_ctrl_c

from optibench.cli import main

ENGINES = ("sklearn.cluster", "xgboost", "dask", "distributed", "pyspark", "mlflow", "pandas")
SMALL = [
    "dataset=iris",
    "model=kmeans",
    "model.space.n_init=[2]",
    "model.space.max_iter=[100]",
    "progress=false",
]
LIGHTEST = [*SMALL, "search=none", "evaluation.default_fit=false", "backend.workers=1"]
STEERING = ("MLFLOW", "OPTIBENCH", "HYDRA")


def environment(**extra):
    """This environment without what would steer the program."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(STEERING)}
    return {**kept, **extra}


def optibench(folder, *words, **extra):
    """Run the program to its end."""
    command = [sys.executable, "-m", "optibench", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


class Ended(NamedTuple):
    """What a call of the program left, named as `subprocess.run` names it."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def call(tmp_path, monkeypatch, capfd):
    """Call the program in this process, which is afterwards as it was before."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    root = logging.getLogger()
    logs, level = list(root.handlers), root.level
    given = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["optibench"])

    def call(*words):
        for name in [name for name in os.environ if name.startswith(STEERING)]:
            del os.environ[name]
        capfd.readouterr()
        return Ended(main(words), *capfd.readouterr())

    yield call
    os.environ.clear()
    os.environ.update(given)
    root.handlers[:], root.level = logs, level
    for number, handler in handlers.items():
        signal.signal(number, handler)


def stored_runs(folder):
    """(name, status) of the parent runs in the embedded store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
        rows = database.execute(
            "select name, status from runs where run_uuid not in "
            "(select run_uuid from tags where key = 'mlflow.parentRunId') order by start_time"
        )
        return list(rows)


@pytest.mark.slow
def test_one_command_prints_a_table_and_leaves_a_finished_run(tmp_path):
    done = optibench(tmp_path, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "kmeans-sklearn-grid-iris  FINISHED" in done.stdout
    assert "silhouette" in done.stdout
    assert "wall" in done.stdout
    assert stored_runs(tmp_path) == [("kmeans-sklearn-grid-iris", "FINISHED")]


def test_help_imports_no_engine(tmp_path):
    code = (
        "import sys\nfrom optibench.cli import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        f"    print('LOADED', [name for name in {ENGINES} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "optibench -m model=kmeans,xgboost" in done.stdout
    assert done.stdout.rstrip().endswith("LOADED []")


def test_only_the_chosen_engine_is_imported(tmp_path):
    code = (
        "import sys\nfrom optibench.cli import main\n"
        f"code = main({[*SMALL, 'plan=true']})\n"
        "names = ('dask', 'distributed', 'pyspark', 'mlflow')\n"
        "print('LOADED', [name for name in names if name in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.rstrip().endswith("LOADED [] 0")


def test_a_plan_says_what_would_run_and_runs_nothing(tmp_path, call):
    done = call("plan=true", "model=kmeans", "backend=spark", "cores=1")
    assert done.returncode == 0, done.stderr
    for fact in (
        "54 by search=grid",
        "271, the refit",
        "1 x 1 thread",
        "768 rows x 8 features",
        "spark",
    ):
        assert fact in done.stdout
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["modle=kmeans"], "Did you mean model?"),
        (["model=nope"], "Available options in 'model': estimator kmeans"),
        (["backend.worker=1"], "Did you mean backend.workers?"),
        (["search=tpe", "search.prunr=median"], "Did you mean search.pruner?"),
        (["seed=abc"], "seed='abc'"),
        (["seed=-1"], "seed=-1: allowed is 0 to"),
        (["repeats=0"], "repeats=0: allowed is"),
        (["cores=0"], "cores=0: this process may use"),
        (["backend.workers=999"], "does not fit the core budget"),
        (["backend.parallelism=both"], "allowed is trials"),
        (["model.params.max_dept=3"], "the nearest are max_depth"),
        (["evaluation.metric=silhouette"], "is a metric of clustering"),
        (["dataset=csv", "dataset.path=no.csv"], "no such file"),
        (["model.space.eta=[]"], "model.space.eta=[] is empty"),
        (["backend=dask", "backend.address=tcp://127.0.0.1:1"], "no scheduler answers there"),
        (["backend=dask", "backend.address=nonsense"], "allowed is tcp://host:port"),
        (["backend=spark", "backend.master=spark://127.0.0.1:1"], "no master answers there"),
        (["backend=spark", "backend.master=yarn"], "allowed is spark://host:port"),
        (["backend=spark", 'backend.master="local[9]"'], "as many slots as workers"),
        (["backend=spark", "backend.master=local[2]"], "in double quotes"),
        (["backend=spark", "backend.conf.spark.master=x"], "use backend.master"),
        (["tracking.uri=http://127.0.0.1:1"], "does not answer"),
    ],
)
def test_wrong_input_exits_with_2_and_one_paragraph_and_no_run(tmp_path, call, words, says):
    assert_refused(call(*words), says, tmp_path)


def test_the_process_ends_with_the_code_of_a_refusal(tmp_path):
    assert_refused(optibench(tmp_path, "modle=kmeans"), "Did you mean model?", tmp_path)


def assert_refused(done, says, folder):
    """Exit code 2, one paragraph on stderr, and no run."""
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert not (folder / "mlruns" / "mlflow.db").exists() or stored_runs(folder) == []


def test_a_traceback_comes_only_where_it_is_asked_for(tmp_path):
    done = optibench(tmp_path, "model=nope", HYDRA_FULL_ERROR="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_credentials_reach_no_file_and_no_message(tmp_path, call):
    uri = "tracking.uri=http://alice:s3cret@127.0.0.1:1"
    done = call(uri, "+backend.conf={}", "backend=spark")
    swept = call("-m", uri, "model=kmeans", "backend.workers=1")
    alone = call(uri)
    assert (done.returncode, swept.returncode, alone.returncode) == (2, 1, 2)
    plan = call(uri, "plan=true", "backend=spark", "backend.conf.spark.x=1")
    plans = call("-m", uri, "plan=true", "seed=0,1")
    assert (plan.returncode, plans.returncode) == (0, 0)
    assert plans.stdout.count("candidates") == 2
    address = "backend.address=tcp://alice:s3cret@127.0.0.1:1"
    traced = optibench(tmp_path, "backend=dask", address, HYDRA_FULL_ERROR="1")
    assert "Traceback" in traced.stderr
    ended = [done, swept, alone, plan, plans, traced]
    said = [text for process in ended for text in (process.stdout, process.stderr)]
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [text for text in (*said, *written) if "s3cret" in text]


@pytest.mark.slow
def test_a_sweep_goes_on_after_failures_and_crashes(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'seed=1' in sys.argv:\n"
        "    import threading, time\n"
        "    def crash():\n"
        "        while not os.path.exists(os.environ['OPTIBENCH_NOTE']):\n"
        "            time.sleep(0.01)\n"
        "        os._exit(7)\n"
        "    threading.Thread(target=crash, daemon=True).start()\n"
    )
    words = ["-m", *LIGHTEST, "seed=1,0", "model.params.n_clusters=2,999"]
    done = optibench(tmp_path, *words, PYTHONPATH=f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    assert done.returncode == 1
    table = [line.split() for line in done.stdout.splitlines()[2:6]]
    assert [row[5] for row in table] == ["FAILED", "FAILED", "FINISHED", "FAILED"]
    crashed = next(line for line in done.stdout.splitlines() if "exit code 7" in line)
    run_id = next(word for word in crashed.split() if len(word) == 32)
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as database:
        status = database.execute(
            "select status from runs where run_uuid = ?", [run_id]
        ).fetchone()[0]
    assert status == "FAILED"
    assert sorted(s for _, s in stored_runs(tmp_path)) == ["FAILED", "FINISHED"]
    # A job that created no run has none in the table.
    refused = [line for line in done.stdout.splitlines() if "distinct rows" in line]
    assert refused  # the other one is that of the crashing seed, which may crash first


@pytest.mark.slow
def test_repeats_are_runs_in_processes_of_their_own(tmp_path):
    done = optibench(tmp_path, *LIGHTEST, "repeats=2")
    assert done.returncode == 0, done.stderr
    assert len(stored_runs(tmp_path)) == 2
    notes = [json.loads(path.read_text()) for path in tmp_path.rglob("result.json")]
    assert len({note["quality"] for note in notes}) == 1


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("sklearn", marks=pytest.mark.slow),
        pytest.param("dask", marks=pytest.mark.dask),
        pytest.param("spark", marks=pytest.mark.spark),
    ],
)
def test_ctrl_c_kills_the_run_and_leaves_no_process(tmp_path, backend):
    words = ["dataset=digits", "model.params.n_estimators=2000", f"backend={backend}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "optibench", *words],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - it sets a handler and nothing else
    )
    wait_for(lambda: running_phase(tmp_path, process))
    started = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=150)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stored_runs(tmp_path) == [(f"xgboost-{backend}-grid-digits", "KILLED")]
    (trials,) = (tmp_path / "mlruns" / "artifacts").rglob("trials.csv")
    assert trials.read_text().startswith("candidate,")
    wait_for(lambda: not [child for child in started if is_alive(child)], seconds=30)


def is_alive(process):
    """True for a process that has not ended; nobody may have waited for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cpu_seconds(process):
    """What a process has used; 0 where it has just ended."""
    try:
        return process.cpu_times().user
    except psutil.Error:
        return 0.0


def running_phase(folder: Path, process):
    """True when the run exists and its workers have been busy for a moment."""
    assert process.poll() is None
    if not (folder / "mlruns" / "mlflow.db").exists() or not stored_runs_or_none(folder):
        return False
    workers = psutil.Process(process.pid).children(recursive=True)
    return sum(cpu_seconds(worker) > 2 for worker in workers) >= 2


def stored_runs_or_none(folder):
    """The runs, or none while the store is still being made."""
    try:
        return stored_runs(folder)
    except sqlite3.Error:
        return []


def wait_for(condition, seconds=200):
    """Poll until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
