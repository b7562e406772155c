"""An archive of Spark's classes, with which the JVMs of tests start in a third of the time.

Java maps the classes from the file instead of reading, checking and compiling them anew (class
data sharing). The archive is made once for each Java and each PySpark, and kept in pytest's cache.
A JVM that cannot use it starts without it. Nothing else about the engines changes.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from optibench.backends.spark.java import find_java_home
from optibench.errors import EngineError

CACHE = ".pytest_cache"  # also where pytest itself keeps none when asked to
OPTIONS = "JAVA_TOOL_OPTIONS"
QUICK = "-XX:TieredStopAtLevel=1"  # compiling well costs more than a test gets back
# What data-parallel runs load, too: SQL, Arrow and K-means.
TRAINING = """
import sys
from pyspark import SparkConf, SparkContext
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql.functions import col

settings = {
    "spark.driver.extraJavaOptions": sys.argv[1],
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.log.level": "ERROR",
}
context = SparkContext(conf=SparkConf().setMaster("local[2]").setAll(list(settings.items())))
session, java = SparkSession(context), context._gateway.proc
assert context.parallelize(range(4), 2).barrier().mapPartitions(list).count() == 4
schema = "part int, features array<double>"
rows = session.createDataFrame([(i % 2, [float(i), i % 3.0]) for i in range(30)], schema)
rows = rows.withColumn("features", array_to_vector(col("features"))).persist()
chosen = rows.where(col("part").isin([0, 1]))
KMeans(k=2, maxIter=3, solver="row").fit(chosen).summary
asked = chosen.select("part").mapInArrow(lambda batches: batches, "part int")
assert asked.toArrow().num_rows == 30
context.stop()
context._gateway.shutdown()
java.stdin.close()
java.wait()
"""


class JavaArchive:
    """The options with which the JVMs of Spark tests start."""

    def __init__(self, folder: Path) -> None:
        """Keep the archive in a folder."""
        self._folder = folder
        self._options: str | None = None

    def options(self) -> str:
        """Return the JVM's options; make the archive where there is none yet."""
        if self._options is None:
            self._options = QUICK
            with suppress(EngineError):  # no Java: the test will say so
                archive = self._made(find_java_home().path)
                if archive.exists():
                    self._options = f"{QUICK} -XX:SharedArchiveFile={archive}"
        return self._options

    def _made(self, java_home: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        archive = self._folder / f"{fingerprint(java_home)}.jsa"
        with FileLock(f"{archive}.lock"):
            if not archive.exists():
                make(archive, java_home)
        return archive


def fingerprint(java_home: Path) -> str:
    """Tell apart what an archive depends on: Java, PySpark, and where they lie."""
    release = java_home / "release"
    text = release.read_text() if release.exists() else ""
    known = [str(java_home), text, sys.prefix, version("pyspark"), TRAINING]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


def make(archive: Path, java_home: Path) -> None:
    """Let a JVM do what tests do, and write its classes as it ends; warn where that fails."""
    part = archive.with_suffix(".part")
    options = f"{QUICK} -XX:+UseSerialGC -XX:ArchiveClassesAtExit={part}"
    paths = {"JAVA_HOME": str(java_home), "PYSPARK_PYTHON": sys.executable}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", TRAINING, options],
            cwd=folder,
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0 and part.exists():
        part.replace(archive)
    else:
        why = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        warnings.warn(f"Spark tests start without an archive of classes: {why}", stacklevel=1)


archive_key = pytest.StashKey[JavaArchive]()


def pytest_configure(config: pytest.Config) -> None:
    """Find the folder of the archive; xdist's workers have the same."""
    config.stash[archive_key] = JavaArchive(config.rootpath / CACHE / "java")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Start the JVMs of a test marked `spark`, and of its fixtures, with the archive."""
    if item.get_closest_marker("spark") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OPTIONS, item.config.stash[archive_key].options())
        return (yield)
