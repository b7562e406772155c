"""What travels: conf/ and the tables in the wheel, and a pinned version for all that it needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from optibench import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = (ROOT / "constraints.txt").read_text().splitlines()


def pinned() -> dict[str, str]:
    """Name and version of every line of the constraints file."""
    return dict(line.split("==") for line in PINS)


def stated() -> list[Requirement]:
    """Every requirement of the project and of its extras, its own extras aside."""
    lines = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        lines += extra
    requirements = [Requirement(line) for line in lines]
    return [each for each in requirements if each.name != PROJECT["name"]]


def needed_here(requirements: list[Requirement]) -> set[str]:
    """These requirements and all that they pull in, by name, as installed here."""
    todo, names, seen = list(requirements), set(), set()
    while todo:
        requirement = todo.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed
        names.add(canonicalize_name(requirement.name))
        for line in installed.requires or []:
            child = Requirement(line)
            extras = requirement.extras or {""}
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
                todo.append(child)
    return names


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as `pip install .` makes it, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    answer = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("conf", "optibench/conf"),
        ("src/optibench/datasets/data", "optibench/datasets/data"),
    ],
)
def test_the_wheel_holds_every_file_of(wheel: zipfile.ZipFile, source: str, inside: str) -> None:
    folder = ROOT / source
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files

    for path in files:
        name = f"{inside}/{path.relative_to(folder).as_posix()}"
        assert wheel.read(name) == path.read_bytes()


def test_the_wheel_holds_every_module_once_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()

    source = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert source <= set(names)
    assert len(names) == len(set(names))
    dist_info = f"optibench-{__version__}.dist-info/"
    allowed = ("optibench/", "hydra_plugins/optibench_", dist_info)
    assert [name for name in names if not name.startswith(allowed)] == []
    assert not [name for name in names if "__pycache__" in name]


def test_the_wheel_installs_the_command_and_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    dist_info = f"optibench-{__version__}.dist-info"

    entry_points = wheel.read(f"{dist_info}/entry_points.txt").decode()

    assert "optibench = optibench.cli:main" in entry_points
    assert wheel.read(f"{dist_info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_constraints_hold_names_and_exact_versions_only() -> None:
    line = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*(\+[a-z0-9.]+)?")

    assert [text for text in PINS if not line.fullmatch(text)] == []
    assert sorted(pinned()) == list(pinned())
    assert len(pinned()) == len(PINS)


def test_every_pin_is_a_version_that_the_project_allows() -> None:
    pins = pinned()

    refused = [
        f"{each}: {pins.get(canonicalize_name(each.name))}"
        for each in stated()
        if not each.specifier.contains(pins.get(canonicalize_name(each.name), ""))
    ]

    assert refused == []


def test_whatever_the_dependencies_pull_in_is_pinned_too() -> None:
    assert needed_here(stated()) - set(pinned()) == set()


def test_the_readme_is_finished_and_what_it_links_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "@@" not in text
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert linked
    assert [name for name in linked if not (ROOT / name).exists()] == []
