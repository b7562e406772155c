"""Packages with plug-ins that are installed for these tests alone, without a network."""

import importlib
import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from optibench.config import installed

PACKAGE = Path(__file__).with_name("package")
collect_ignore = [PACKAGE.name]  # its tests run in an environment where it is installed
NAMES = ("optibench_tiny", "declared")  # modules of such packages


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder in which the package `optibench-tiny` is installed."""
    folder = tmp_path_factory.mktemp("tiny")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(PACKAGE)], capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "target"
    zipfile.ZipFile(wheel).extractall(target)  # as pip installs a wheel of pure Python
    return target


@pytest.fixture(scope="session")
def use():
    """Return `use(folder)`, inside which this process sees the packages in a folder."""

    @contextmanager
    def use(folder):
        sys.path.insert(0, str(folder))
        forget_packages()
        try:
            yield
        finally:
            sys.path.remove(str(folder))
            forget_packages()

    return use


def forget_packages():
    """Have this process look for packages, and import their modules, anew."""
    installed._declared.cache_clear()
    importlib.invalidate_caches()
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        del sys.modules[name]


@pytest.fixture
def program(tiny, tmp_path):
    """`program(*words)`: a Python program in a fresh folder that sees the package."""

    def program(*words):
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MLFLOW", "OPTIBENCH", "HYDRA"))
        }
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(tiny)},
            capture_output=True,
            text=True,
            check=False,
        )

    return program
