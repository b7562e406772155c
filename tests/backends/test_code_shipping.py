"""What is brought to workers elsewhere, and what they are asked before."""

import io
import sys
import time
import zipfile

import pytest

from optibench.backends.common.code_shipping import archives, put_first
from optibench.backends.common.compatibility import (
    RemoteBatchSettings,
    WorkerInfo,
    check_versions,
    clock_offsets,
    describe,
    run_remote_batch,
)
from optibench.backends.spark.settings import SessionSettings, bytes_of
from optibench.errors import EngineError
from optibench.records import Batch, BatchOutcome, EngineRequest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the user's modules lie: one that imports another, and one that nobody imports."""
    (tmp_path / "mine_a.py").write_text("import mine_b\nVALUE = 1\n")
    (tmp_path / "mine_b").mkdir()
    (tmp_path / "mine_b" / "__init__.py").write_text("")
    (tmp_path / "mine_b" / "words.txt").write_text("data")
    (tmp_path / "not_mine.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    for name in ("mine_a", "mine_b"):
        sys.modules.pop(name, None)


def names_in(archive):
    return set(zipfile.ZipFile(io.BytesIO(archive.content)).namelist())


@pytest.mark.usefixtures("folder")
def test_modules_of_the_users_travel_with_what_they_import_and_installed_ones_do_not():
    __import__("mine_a")
    own, users = archives(["mine_a", "sklearn.metrics", "json", "optibench.trials.worker"])
    assert "optibench/trials/worker.py" in names_in(own)
    assert names_in(users) == {"mine_a.py", "mine_b/__init__.py", "mine_b/words.txt"}
    assert [a.filename for a in archives(["mine_a"])] == [own.filename, users.filename]


def test_a_worker_forgets_the_code_of_an_earlier_run(folder):
    for value in (1, 2):
        (folder / "mine_a.py").write_text(f"import mine_b\nVALUE = {value}\n")
        __import__("mine_a")
        _, archive = archives(["mine_a"])
        path = folder / archive.filename
        path.write_bytes(archive.content)
        put_first(str(path), archive.stem, archive.names)
        found = __import__("mine_a")
        assert (found.VALUE, found.__file__) == (value, str(path / "mine_a.py"))
        assert next(entry for entry in sys.path if entry.endswith(".zip")) == str(path)
        sys.path.remove(str(path))
        del sys.modules["mine_a"]


@pytest.mark.parametrize(
    ("theirs", "expected"), [("1.0", "has numpy 1.0"), (None, "has no numpy")]
)
def test_a_worker_with_other_libraries_is_refused_by_name(theirs, expected):
    peer = WorkerInfo("far-away", "3.11.7", {"numpy": theirs}, 0.0)
    with pytest.raises(
        EngineError, match=rf"far-away {expected}, this program has .*pip install 'numpy=="
    ):
        check_versions([peer], ["numpy"])
    check_versions([describe(["numpy"])], ["numpy"])


def test_a_clock_is_wrong_only_where_it_shows_a_moment_outside_of_the_question():
    peers = [
        WorkerInfo("right", "", {}, 100.5),
        WorkerInfo("slow", "", {}, 40.0),
        WorkerInfo("fast", "", {}, 161.0),
    ]
    assert clock_offsets(peers, before=100.0, after=102.0) == {"slow": -61.0, "fast": 60.0}


def test_a_time_limit_follows_the_drivers_clock():
    here = describe(()).host
    seen = []

    def task(_value, batch):
        seen.append(batch.begin_before)
        return BatchOutcome((), batch.units, None)

    run_remote_batch(
        task, None, Batch((), 1.0, time.time()), RemoteBatchSettings({here: 3600.0, "other": 5.0})
    )
    run_remote_batch(task, None, Batch((), 1.0, time.time()), RemoteBatchSettings({}))
    assert seen[0] - seen[1] == pytest.approx(3600, abs=5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("600m", 600 * 2**20), ("1g", 2**30), ("2 GB", 2**31), ("0", 0), ("much", 0), ("1.5g", 0)],
)
def test_a_size_is_read_as_spark_reads_it(size, expected):
    assert bytes_of(size) == expected


def test_a_spark_task_has_as_many_cores_as_a_trial_has_threads(tmp_path):
    request = EngineRequest(workers=3, threads=4, modules=(), logs=tmp_path, memory_bytes=2**33)
    here = SessionSettings.make(None, {}, "unused", request, {})
    assert (here.master, here.shown["spark.task.cpus"]) == ("local[12,4]", "4")
    given = SessionSettings.make(
        "spark://host:7077", {"spark.a.password": "x"}, "word", request, {}
    )
    assert (given.shown["spark.cores.max"], given.shown["spark.executor.cores"]) == ("12", "4")
    assert given.shown["spark.authenticate"] == "true"
    assert given.hidden == {"spark.a.password": "x", "spark.authenticate.secret": "word"}
    assert "word" not in repr(given)
    assert not here.hidden
