"""Clusters like those of other machines: without this package, encrypted, with a wrong clock."""

import sys
import time

import pytest
from tests.backends.clusters import another_machine, cluster, run

from optibench.backends.dask import tls
from optibench.backends.spark import master
from optibench.errors import ConfigError, EngineError
from optibench.models.estimator import _load

MINE = [
    "model=estimator",
    "model.estimator=my_forest.Forest",
    "model.space.max_depth=[2,3]",
    "dataset=iris",
    "search.max_seconds=100",
    "evaluation.folds=2",
    "progress=false",
]
SECRET = "never-to-be-printed"  # noqa: S105 - of this cluster alone
FOREST = """
from my_default import TREES
from sklearn.ensemble import ExtraTreesClassifier

class Forest(ExtraTreesClassifier):
    def __init__(self, max_depth=None, random_state=None):
        super().__init__(TREES, max_depth=max_depth, random_state=random_state)
"""


@pytest.fixture
def my_forest(tmp_path, monkeypatch):
    """Two modules of the user's, in the working directory of the driver alone."""
    (tmp_path / "my_default.py").write_text("TREES = 5\n")
    (tmp_path / "my_forest.py").write_text(FOREST)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in ("my_forest", "my_default"):
        sys.modules.pop(name, None)
    _load.cache_clear()


@pytest.fixture(scope="module")
def encrypted_dask(tmp_path_factory):
    compatibility = another_machine(tmp_path_factory.mktemp("elsewhere"), seconds_ahead=3600)
    with cluster("dask", "--tls", **compatibility) as line:
        yield line.split()


@pytest.fixture(scope="module")
def secret_spark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "my.secret").write_text(f"{SECRET}\n")
    compatibility = another_machine(folder, seconds_ahead=3600)
    with cluster("spark", "--secret-file", "my.secret", **compatibility) as line:
        yield [line, f"backend.secret={SECRET}"]


def assert_mine_is_tuned(*words):
    """All of it, though the workers think that its time is over, by the driver's clock."""
    begin = time.time()
    result, tracker = run(*MINE, *words)
    assert [trial.error for trial in result.trials] == [None] * 4
    assert all(begin < trial.start < trial.end < time.time() for trial in result.trials)
    assert "s ahead of the driver's" in tracker.params["measurement_notes"]
    return tracker


@pytest.mark.dask
@pytest.mark.usefixtures("my_forest")
def test_own_code_travels_to_an_encrypted_dask_cluster(encrypted_dask):
    assert_mine_is_tuned("backend=dask", *encrypted_dask)


@pytest.mark.dask
def test_workers_with_another_version_are_refused_by_name(tmp_path):
    another = another_machine(tmp_path, more="import scipy; scipy.__version__ = '0.1'")
    recorded = r"has scipy 0\.1, this program has .*pip install 'scipy=="
    with (
        cluster("dask", "--workers", "1", **another) as word,
        pytest.raises(EngineError, match=recorded),
    ):
        run(*MINE[3:], "model=kmeans", "backend=dask", word, "backend.workers=1")


@pytest.mark.dask
def test_certificates_of_another_cluster_are_refused_before_anything_starts(
    encrypted_dask, tmp_path
):
    from distributed.security import Security

    other = Security.temporary()
    files = {"ca_file": other.tls_ca_file, "cert": other.tls_client_cert}
    files["key"] = other.tls_client_key
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    theirs = [f"backend.tls.{name}={tmp_path / name}" for name in files]
    with pytest.raises(ConfigError, match="no encrypted connection with these certificates"):
        run("backend=dask", encrypted_dask[0], *theirs)
    own = [encrypted_dask[1], *theirs[1:]]  # only the scheduler objects
    with pytest.raises(ConfigError, match="no encrypted connection with these certificates"):
        run("backend=dask", encrypted_dask[0], *own)


@pytest.mark.dask
def test_an_encrypted_scheduler_is_not_waited_for_without_encryption(encrypted_dask, monkeypatch):
    monkeypatch.setattr(tls, "ANSWER_SECONDS", 1.0)
    with pytest.raises(ConfigError, match="one without TLS"):
        run("backend=dask", encrypted_dask[0].replace("tls://", "tcp://"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["backend.address=tls://127.0.0.1:1"], "needs backend.tls.ca_file"),
        (["backend.address=tcp://127.0.0.1:1", "backend.tls.cert=a.pem"], "tls://"),
        (["backend.tls.key=a.pem"], "without backend.address"),
        (
            ["backend.address=tls://127.0.0.1:1", "backend.tls.ca_file=a", "backend.tls.cert=b"],
            "backend.tls.ca_file='a': there is no such file",
        ),
    ],
)
def test_certificates_and_address_fit_together(words, named):
    with pytest.raises(ConfigError, match=named):
        run("backend=dask", *words)


@pytest.mark.spark
def test_a_wrong_secret_is_refused_at_once(secret_spark):
    with pytest.raises(EngineError, match="refuses this program's secret") as refused:
        run("backend=spark", secret_spark[0], "backend.secret=wrong-one")
    assert "wrong-one" not in str(refused.value)


@pytest.mark.spark
def test_slots_that_nobody_has_are_not_waited_for_forever(secret_spark, monkeypatch):
    monkeypatch.setattr(master, "SLOT_SECONDS", 3.0)
    with pytest.raises(
        EngineError, match=r"gives [01] slots of 2 core\(s\), fewer than the 2 asked"
    ):
        run("backend=spark", *secret_spark, "backend.workers=2", "backend.threads_per_trial=2")


@pytest.mark.spark
@pytest.mark.usefixtures("my_forest")
def test_own_code_travels_to_a_spark_cluster_whose_secret_is_never_printed(secret_spark, tmp_path):
    (tmp_path / "events").mkdir()
    log = [
        "backend.conf.spark.eventLog.enabled=true",
        "backend.conf.spark.eventLog.compress=false",
    ]
    log += [f"backend.conf.spark.eventLog.dir={tmp_path / 'events'}"]
    log += ["backend.workers=1", "backend.threads_per_trial=2"]  # all cores of the cluster
    tracker = assert_mine_is_tuned("backend=spark", *secret_spark, *log)
    assert tracker.params["backend.secret"] == "***"
    assert SECRET not in str(vars(tracker))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("events" in path.parts for path in written)
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
